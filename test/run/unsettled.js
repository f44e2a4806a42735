// status: 13
// stdout: before
// stderr: vow run: the program's top-level await waits for a promise that nothing can settle any more
// stderr~ at .*unsettled\.js:8
const never = new Promise(() => {});
console.log('before');

await never;
console.log('after');
