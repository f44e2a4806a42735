// expect: value ["YcO/8J+YgO+/vQ==",{"read":2,"written":3},"utf-8"]
const encoder = new TextEncoder();
const into = new Uint8Array(4);
[encoder.encode("aÿ😀\ud800"), encoder.encodeInto("aÿ😀", into), encoder.encoding];
