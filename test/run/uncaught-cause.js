// status: 1
// stderr: Uncaught Error: outer
// stderr~ uncaught-cause\.js
// stderr~ \[cause\]: RangeError: inner
// stderr~ uncaught-cause\.js
// stderr: }
throw new Error('outer', { cause: new RangeError('inner') });
