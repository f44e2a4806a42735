// status: 1
// stdout: settled
// stderr: Unhandled rejection: 5
setTimeout(() => { Promise.reject(5); }, 5);
console.log('settled');
