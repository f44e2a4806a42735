// Characters cut by chunk ends, in every encoding, at every place.
const whole = (label, bytes) => new TextDecoder(label).decode(bytes);
const byByte = (label, bytes, size) => {
  const decoder = new TextDecoder(label);
  let text = "";
  for (let i = 0; i < bytes.length; i += size) text += decoder.decode(bytes.subarray(i, i + size), { stream: true });
  return text + decoder.decode();
};
const utf8 = new TextEncoder().encode("\ufeffaé€😀z");
const broken = new Uint8Array([0xef, 0xbb, 0xbf, 0xf0, 0x9f, 0x41, 0xe2, 0x82, 0xc3, 0xff, 0xf0, 0x9f, 0x98]);
const utf16 = new Uint8Array(new Uint16Array([0xfeff, 0x61, 0xd83d, 0xde00, 0xd800, 0x62, 0xdc00, 0xd800]).buffer);
for (let size = 1; size < 6; size++) {
  same(byByte("utf-8", utf8, size), "aé€😀z");
  same(byByte("utf-8", broken, size), whole("utf-8", broken));
  same(byByte("utf-16le", utf16, size), "a😀\ufffdb\ufffd\ufffd");
  same(byByte("utf-16le", utf16.subarray(0, 7), size), "a\ufffd");
}
const again = new TextDecoder();
again.decode(utf8.subarray(0, 2), { stream: true });
same(again.decode(), "\ufffd");
same(again.decode(utf8), "aé€😀z");
same(again.decode(utf8), "aé€😀z");
