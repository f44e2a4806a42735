// args: --memory-mib 32
// expect: limit
// engines: wasm
// A list as long as can be: too large, or too much to do.
new Proxy([], {
  get: (target, key) => (key === "length" ? 2 ** 53 - 1 : key === "toJSON" ? undefined : 1),
});
