// args: --memory-mib 512
// expect: value 200
const kept = [];
for (let i = 0; i < 200; i++) kept.push(new Uint8Array(1 << 20));
kept.length;
