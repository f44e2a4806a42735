// expect: value [[2,3],"AgAAAAMAAAA="]
// Views see their part of the buffer only.
const all = new Uint32Array([1, 2, 3, 4]);
[all.subarray(1, 3), new Uint8Array(all.buffer, 4, 8)];
