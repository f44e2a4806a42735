// status: 1
// stderr: Uncaught Error: module
// stderr~ rejection-of-main\.mjs
await 1;
throw new Error('module');
