// expect: value {"class":3,"spread":[1,2,3],"optional":null,"nullish":5,"label":2,"tag":"a-b","bigint":"9007199254740993","regexp":"2026","groupBy":{"odd":[1,3],"even":[2]},"toSorted":[1,2,3],"at":3,"iterator":[2,4]}
// The language as of ES2023 and some of what came later.
class Counter {
  #n = 1;
  static make() {
    return new Counter();
  }
  get n() {
    return (this.#n += 2);
  }
}
const tag = (parts, ...values) => parts.raw.join("") + values.join("");
let label = 0;
outer: for (;;)
  for (;;) {
    if (++label === 2) break outer;
  }
({
  class: Counter.make().n,
  spread: [...[1, 2], ...new Set([3])],
  optional: undefined?.a?.b ?? null,
  nullish: null ?? 5,
  label,
  tag: tag`a-${"b"}`,
  bigint: String(2n ** 53n + 1n),
  regexp: /(?<year>\d{4})/.exec("in 2026").groups.year,
  groupBy: { ...Object.groupBy([1, 2, 3], (n) => (n % 2 ? "odd" : "even")) },
  toSorted: [3, 1, 2].toSorted(),
  at: [1, 2, 3].at(-1),
  iterator: [1, 2]
    .values()
    .map((n) => n * 2)
    .toArray(),
});
