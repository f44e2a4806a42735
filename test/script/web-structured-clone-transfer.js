// expect: value [4,0,true]
const buffer = new ArrayBuffer(4);
const copy = structuredClone(buffer, { transfer: [buffer] });
[copy.byteLength, buffer.byteLength, buffer.detached];
