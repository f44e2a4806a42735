// args: --allow notes.*
// lock: yes
// expect: value ["rejected","fulfilled"]
const both = await Promise.allSettled([
  notes.create({ title: "x" }, { timeout: 30 }),
  notes.get("apple", { timeout: 5000 }),
]);
both.map((one) => one.status);
