// status: 1
// stdout: first
// stderr: Uncaught Error: late
// stderr~ uncaught-in-timer\.js
// more: yes
setTimeout(() => console.log('first'), 1);
setTimeout(() => { throw new Error('late'); }, 5);
setTimeout(() => console.log('never'), 50);
