// expect: value "handled"
// What counts is whether somebody has handled it by the end.
const rejected = Promise.reject(new Error("for a while"));
await sleep(5);
rejected.catch(() => {});
"handled";
