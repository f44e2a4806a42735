// status: 1
// stdout: same turn
// stderr: Unhandled rejection: Error: nobody
// stderr~ rejection\.js
setTimeout(() => console.log('never'), 0);
Promise.reject(new Error('nobody'));
queueMicrotask(() => console.log('same turn'));
