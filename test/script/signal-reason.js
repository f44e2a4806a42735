// args: --allow notes.create
// lock: yes
// expect: value ["changed my mind",{"own":"object"},"abort called"]
const reasons = [];
for (const reason of ["changed my mind", { own: "object" }, new RangeError("abort called")]) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 5);
  reasons.push(await notes.create({ title: "x" }, { signal: controller.signal }).catch((e) => e));
}
[reasons[0], reasons[1], reasons[2].message];
