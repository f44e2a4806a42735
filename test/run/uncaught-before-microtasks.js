// status: 1
// stderr: Uncaught 'first'
queueMicrotask(() => console.log('never'));
throw 'first';
