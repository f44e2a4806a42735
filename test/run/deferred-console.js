// stdout: begins
// stdout: 1
// stdout: ends
const shared = new Int32Array(new SharedArrayBuffer(4));
const busy = new Deferred((shared) => {
  console.log("begins");
  Deferred.progress(1);
  while (Atomics.load(shared, 0) === 0);
  console.log("ends");
}, shared);
busy.onprogress = (value) => {
  console.log(value);
  Atomics.store(shared, 0, 1);
};
