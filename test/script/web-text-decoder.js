// expect: value ["aÿ😀","﻿x","x","�","TypeError"]
const bytes = new TextEncoder().encode("aÿ😀");
const mark = new Uint8Array([0xef, 0xbb, 0xbf, 0x78]);
const bad = new Uint8Array([0xff]);
let name;
try {
  new TextDecoder("utf-8", { fatal: true }).decode(bad);
} catch (error) {
  name = error.name;
}
[
  new TextDecoder().decode(bytes),
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(mark),
  new TextDecoder().decode(mark),
  new TextDecoder().decode(bad),
  name,
];
