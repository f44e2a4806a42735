// status: 1
// stderr: Uncaught RangeError: Maximum call stack size exceeded
// stderr~ at down \(.*recursion-uncaught\.js:5:\d+\)
// more: yes
const down = () => { down(); };
down();
