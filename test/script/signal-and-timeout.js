// args: --allow notes.create
// lock: yes
// expect: value ["TimeoutError","AbortError"]
// leaks: timer
// Whichever comes first.
const one = notes.create({ title: "x" }, { timeout: 20, signal: AbortSignal.timeout(10000) });
const controller = new AbortController();
const two = notes.create({ title: "x" }, { timeout: 10000, signal: controller.signal });
setTimeout(() => controller.abort(), 20);
[await one.catch((error) => error.name), await two.catch((error) => error.name)];
