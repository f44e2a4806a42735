// expect: value 1
// stderr: default: 1
// stderr: default: 2
// stderr: group
// stderr:   inside
// stderr: Assertion failed: no
console.count();
console.count();
console.group("group");
console.log("inside");
console.groupEnd();
console.assert(true, "yes");
console.assert(false, "no");
1;
