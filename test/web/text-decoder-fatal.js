// fatal: a TypeError for bad bytes, and a fresh decoder afterwards.
const decoder = new TextDecoder("utf-8", { fatal: true });
assert(decoder.fatal && !decoder.ignoreBOM, "flags");
throws(() => decoder.decode(new Uint8Array([0x61, 0xff])), "TypeError");
same(decoder.decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])), "a");
throws(() => decoder.decode(new Uint8Array([0xe2, 0x82])), "TypeError");
same(decoder.decode(new Uint8Array([0xe2, 0x82]), { stream: true }), "");
same(decoder.decode(new Uint8Array([0xac])), "€");
decoder.decode(new Uint8Array([0xe2]), { stream: true });
throws(() => decoder.decode(), "TypeError");
same(decoder.decode(new Uint8Array([0x62])), "b");
const wide = new TextDecoder("utf-16be", { fatal: true });
same(wide.decode(new Uint8Array([0xd8, 0x3d, 0xde, 0x00])), "😀");
throws(() => wide.decode(new Uint8Array([0xd8, 0x3d])), "TypeError");
throws(() => wide.decode(new Uint8Array([0xde, 0x00])), "TypeError");
throws(() => wide.decode(new Uint8Array([0])), "TypeError");
