// status: 1
// stderr~ Uncaught SyntaxError: 
// stderr~ at .*syntax\.js:5:\d+
const a = 1;
const = 2;
console.log('never');
