// Buffers and every view; the range of a view; detached and resized buffers.
const decoder = new TextDecoder();
const bytes = new Uint8Array([120, 97, 98, 99, 121]);
same(decoder.decode(bytes.buffer), "xabcy");
same(decoder.decode(bytes.subarray(1, 4)), "abc");
same(decoder.decode(new DataView(bytes.buffer, 1, 2)), "ab");
same(decoder.decode(new Uint16Array(bytes.buffer.slice(1))), "abcy");
same(decoder.decode(), "");
for (const bad of [null, 5, "abc", {}, [1], Object.create(Uint8Array.prototype)])
  throws(() => decoder.decode(bad), "TypeError");
const moved = new Uint8Array([97]);
moved.buffer.transfer();
same(decoder.decode(moved), "");
const buffer = new ArrayBuffer(4, { maxByteLength: 8 });
const tracking = new Uint8Array(buffer);
tracking.fill(97);
buffer.resize(6);
same(decoder.decode(tracking), "aaaa\0\0");
buffer.resize(2);
same(decoder.decode(tracking), "aa");
same(decoder.decode(buffer), "aa");
