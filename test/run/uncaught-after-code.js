// status: 1
// stderr: Uncaught 'text'
process.exitCode = 0;
throw 'text';
