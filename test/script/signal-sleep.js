// expect: value ["AbortError",true]
const controller = new AbortController();
setTimeout(() => controller.abort(), 10);
const begun = performance.now();
const name = await sleep(20000, { signal: controller.signal }).catch((error) => error.name);
[name, performance.now() - begun < 2000];
