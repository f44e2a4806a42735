// args: --allow notes.create --max-concurrent 2
// lock: yes
// expect: value ["all gone",10]
// operations: created=10 cancelled=10
// One signal stops those that run and those that wait.
const controller = new AbortController();
const calls = Array.from({ length: 10 }, () =>
  notes.create({ title: "x" }, { signal: controller.signal }),
);
setTimeout(() => controller.abort("all gone"), 20);
const results = await Promise.allSettled(calls);
[results[0].reason, results.filter((result) => result.reason === "all gone").length];
