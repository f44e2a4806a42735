// expect: value 1
// stderr: first second
console.log("first", "second");
await sleep(1);
1;
