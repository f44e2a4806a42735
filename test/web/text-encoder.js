// TextEncoder: UTF-8, lone surrogates replaced, encodeInto never splits.
const encoder = new TextEncoder();
same(encoder.encoding, "utf-8");
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
same(hex(encoder.encode("aé€😀")), "61c3a9e282acf09f9880");
same(hex(encoder.encode("\ud800x\udc00")), "efbfbd78efbfbd");
same(hex(encoder.encode("퟿\u0000")), "ed9fbf00");
same(encoder.encode().length, 0);
same(encoder.encode(undefined).length, 0);
same(hex(encoder.encode(null)), "6e756c6c");
assert(encoder.encode("x") instanceof Uint8Array, "class");
const into = (text, size) => {
  const bytes = new Uint8Array(size + 2).subarray(1, size + 1);
  const { read, written } = encoder.encodeInto(text, bytes);
  return `${read} ${written} ${hex(bytes)}`;
};
same(into("a€b", 3), "1 1 610000");
same(into("a€b", 4), "2 4 61e282ac");
same(into("😀!", 4), "2 4 f09f9880");
same(into("\ud800!", 4), "2 4 efbfbd21");
same(into("", 2), "0 0 0000");
same(into("abc", 0), "0 0 ");
throws(() => encoder.encodeInto("x", new Uint16Array(2)), "TypeError");
throws(() => encoder.encodeInto("x"), "TypeError");
throws(() => encoder.encode(Symbol()), "TypeError");
throws(() => TextEncoder.prototype.encode.call({}, "x"), "TypeError");
