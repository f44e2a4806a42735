// args: --cpu-ms 200
// expect: limit cpu
new Proxy({}, { ownKeys() { for (;;); } });
