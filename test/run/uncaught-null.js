// status: 1
// stderr: Uncaught null
throw null;
