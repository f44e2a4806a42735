// expect: value {"seen":1}
// What the last statement gave is read when the microtasks of the script are done.
const last = { seen: 0 };
Promise.resolve().then(() => { last.seen = 1; });
last;
