// expect: value ["fired","fired","fired","fired"]
// Odd delays mean none.
await Promise.all(
  [-5, NaN, "1", undefined].map(
    (delay) => new Promise((resolve) => setTimeout(resolve, delay, "fired")),
  ),
);
