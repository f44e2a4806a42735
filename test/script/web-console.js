// expect: value 1
// stderr: plain 1 { a: [ 1, 'x' ] } null undefined
// stderr: name: vow, 3 of 4, {"j":1}, %
// stderr: warned
// stderr: failed
console.log("plain", 1, { a: [1, "x"] }, null, undefined);
console.info("name: %s, %d of %i, %j, %%", "vow", 3, 4.5, { j: 1 });
console.warn("warned");
console.error("failed");
1;
