// expect: value ["AQID","AQIDBA==","//8=","","Ag=="]
const bytes = new Uint8Array([1, 2, 3, 4]);
[
  bytes.slice(0, 3),
  bytes.buffer,
  new Uint8ClampedArray([999, 255]),
  new ArrayBuffer(0),
  bytes.subarray(1, 2),
];
