// args: --allow notes.create
// lock: yes
// expect: value ["TimeoutError",true,true,"notes.create",true]
// operations: created=1 timed_out=1 rejected=0
const begun = performance.now();
const error = await notes.create({ title: "x" }, { timeout: 50 }).catch((e) => e);
const passed = performance.now() - begun;
[
  error.name,
  error instanceof TimeoutError,
  error instanceof ApiError,
  error.operation.name,
  passed >= 49 && passed < 1000,
];
