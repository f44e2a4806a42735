// args: --memory-mib 16
// expect: value "200 MiB went by"
let size = 0;
for (let i = 0; i < 200; i++) size += new Uint8Array(1 << 20).length;
`${size >> 20} MiB went by`;
