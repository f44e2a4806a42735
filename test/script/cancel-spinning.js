// signal: INT
// engines: wasm
// The native engine spins on the loop thread, where signals are handled.
// expect: cancelled
// stderr: ready
console.log("ready");
for (;;);
