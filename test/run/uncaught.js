// status: 1
// stderr: Uncaught TypeError: wrong
// stderr~ at inner \(.*uncaught\.js:7:\d+\)
// stderr~ at <eval> \(.*uncaught\.js:10:\d+\)
setTimeout(() => console.log('never'), 0);
function inner() {
  throw new TypeError('wrong');
}
queueMicrotask(() => console.log('never'));
inner();
