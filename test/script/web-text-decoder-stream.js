// expect: value ["","😀",""]
const decoder = new TextDecoder();
const bytes = new TextEncoder().encode("😀");
[
  decoder.decode(bytes.subarray(0, 2), { stream: true }),
  decoder.decode(bytes.subarray(2), { stream: true }),
  decoder.decode(),
];
