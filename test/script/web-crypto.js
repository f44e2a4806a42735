// expect: value ["TypeMismatchError","TypeMismatchError","TypeMismatchError","TypeError","TypeError","QuotaExceededError",65536,true,true,true,true]
const fails = (call) => {
  try {
    call();
    return "fine";
  } catch (error) {
    return error.name;
  }
};
const array = new Uint32Array(8);
const part = new Uint8Array(64).subarray(16, 48);
crypto.getRandomValues(part);
const around = new Uint8Array(part.buffer);
const large = crypto.getRandomValues(new BigUint64Array(8192));
const counts = new Set(large).size;
[
  fails(() => crypto.getRandomValues(new Float64Array(1))),
  fails(() => crypto.getRandomValues(new Float32Array(1))),
  fails(() => crypto.getRandomValues(new DataView(new ArrayBuffer(4)))),
  fails(() => crypto.getRandomValues()),
  fails(() => crypto.getRandomValues(5)),
  fails(() => crypto.getRandomValues(new Uint8Array(65537))),
  large.byteLength,
  crypto.getRandomValues(array) === array && array.some((word) => word !== 0),
  around.every((byte, i) => (i >= 16 && i < 48) || byte === 0) && part.some((byte) => byte !== 0),
  counts === 8192,
  crypto.getRandomValues(new Int8Array(0)).length === 0,
];
