// expect: value "trapped"
await new Proxy(
  {},
  { get: (_, key) => (key === "then" ? (resolve) => resolve("trapped") : undefined) },
);
