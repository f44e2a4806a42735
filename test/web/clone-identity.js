// Cycles and shared parts keep their identity, buffers shared by views too.
const shared = { s: 1 };
const source = { shared, again: shared, list: [shared], map: new Map(), set: new Set() };
source.self = source;
source.map.set(source, source.map);
source.set.add(source.set);
const error = new Error("e");
error.cause = error;
source.error = error;
const clone = structuredClone(source);
assert(clone.self === clone && clone.shared === clone.again && clone.list[0] === clone.shared, "objects");
assert(clone.map.get(clone) === clone.map && clone.set.has(clone.set), "collections");
assert(clone.error.cause === clone.error, "cause");
const buffer = new ArrayBuffer(16);
const views = [new Uint8Array(buffer, 4, 4), new Float64Array(buffer), new DataView(buffer, 2, 3), buffer];
const copies = structuredClone(views);
assert(copies.every((view) => (view.buffer || view) === copies[3]) && copies[3] !== buffer, "one buffer");
same(`${copies[0].byteOffset} ${copies[0].length} ${copies[1].length}`, "4 4 2");
same(`${copies[2].byteOffset} ${copies[2].byteLength}`, "2 3");
const names = "Int8Array Uint8ClampedArray Int16Array Uint32Array BigInt64Array BigUint64Array Float32Array";
for (const name of names.split(" ")) {
  const array = new globalThis[name](3);
  array[1] = name.startsWith("Big") ? 7n : 7;
  same(host.internals.inspect(structuredClone(array)), host.internals.inspect(array));
}
const resizable = structuredClone(new ArrayBuffer(2, { maxByteLength: 9 }));
assert(resizable.resizable && resizable.maxByteLength === 9 && resizable.byteLength === 2, "resizable");
