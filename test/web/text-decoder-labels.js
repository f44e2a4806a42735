// Labels, their encodings, and windows-1252.
const encodings = {
  "utf-8": ["utf8", " UTF-8\n", "unicode-1-1-utf-8"], "utf-16le": ["utf-16", "UCS-2"],
  "utf-16be": ["unicodefffe"], "windows-1252": ["latin1", "ascii", "ISO-8859-1", "x-cp1252"],
};
for (const name in encodings)
  for (const label of [name, ...encodings[name]]) same(new TextDecoder(label).encoding, name);
for (const bad of ["", "utf", "utf-8 utf8", "utf-8\u00a0", "8"]) throws(() => new TextDecoder(bad), "RangeError");
same(new TextDecoder().encoding, "utf-8");
same(new TextDecoder(undefined).encoding, "utf-8");
const all = new TextDecoder("latin1").decode(Uint8Array.from({ length: 256 }, (_, i) => i));
same(all.length, 256);
same(all.slice(0x7f, 0x86), "\x7f€\x81‚ƒ„…");
same(all.slice(0xa0), String.fromCharCode(...Array.from({ length: 96 }, (_, i) => 0xa0 + i)));
same(new TextDecoder("utf-16be").decode(new Uint8Array([0xfe, 0xff, 0, 0x41])), "A");
throws(() => TextDecoder("utf-8"), "TypeError");
throws(() => new TextDecoder("utf-8", 5), "TypeError");
