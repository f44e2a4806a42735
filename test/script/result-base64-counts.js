// args: --result-kib 1
// expect: limit result
new Uint8Array(1000);
