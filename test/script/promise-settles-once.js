// expect: value "first"
await new Promise((resolve, reject) => {
  resolve("first");
  reject(new Error("no"));
  resolve("second");
  throw new Error("no");
});
