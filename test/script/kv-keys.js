// args: --allow kv.*
// expect: value [["\u0000","a\u0000b","a\nb","é"],1,2]
// Any character may be in a key.
await kv.set("a\0b", 1);
await kv.set("é", 2);
await kv.set("a\nb", 3);
await kv.set("\0", 4);
[(await kv.list()).keys, await kv.get("a\0b"), await kv.get("é")];
