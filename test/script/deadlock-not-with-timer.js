// expect: value "resolved"
await new Promise((resolve) => setTimeout(() => resolve("resolved"), 20));
