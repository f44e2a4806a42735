// expect: value true
// Fresh memory is zero.
let zero = true;
for (let i = 0; i < 50; i++) zero &&= new Uint8Array(100000).every((byte) => byte === 0);
zero;
