// Checksums (Adler-32, RFC 1950 section 8) of many blocks of bytes, some at a time,
// each on a worker thread that says how far it is.

const adler32 = (block) => {
  let a = 1;
  let b = 0;
  for (let i = 0; i < block.length; i++) {
    a = (a + block[i]) % 65521;
    b = (b + a) % 65521;
    if (i % 65536 === 65535) Deferred.progress({ bytes: i + 1 });
  }
  Deferred.progress({ bytes: block.length });
  return b * 65536 + a;
};

const blocks = [];
for (let n = 1; n <= 8; n++) blocks.push(new Uint8Array(100_000 * n).fill(n));
const total = blocks.reduce((sum, block) => sum + block.length, 0);

const done = new Array(blocks.length).fill(0);
const sums = await Deferred.map(blocks, adler32, {
  concurrency: 4,
  onprogress: ({ index, value }) => {
    if (value) done[index] = value.bytes;
  },
});

sums.forEach((sum, i) => console.log(`block ${i + 1}: ${sum.toString(16).padStart(8, "0")}`));
console.log(`${done.reduce((a, b) => a + b)} of ${total} bytes`);
