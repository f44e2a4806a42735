// args: --cpu-ms 200
// expect: limit cpu
// engines: wasm
const text = "[" + "1,".repeat(100000) + "1]";
for (;;) JSON.parse(text);
