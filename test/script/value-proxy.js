// expect: value [{"a":"trapped a"},[1,2]]
[
  new Proxy(
    { a: 1 },
    { get: (target, key) => (key === "toJSON" ? undefined : `trapped ${String(key)}`) },
  ),
  new Proxy([1, 2], {}),
];
