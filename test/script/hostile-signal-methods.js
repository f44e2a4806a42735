// args: --allow notes.create
// lock: yes
// expect: value "AbortError"
const fail = () => {
  throw new Error("replaced");
};
const controller = new AbortController();
const { signal } = controller;
for (const prototype of [AbortSignal.prototype, EventTarget.prototype])
  for (const key of Reflect.ownKeys(prototype))
    if (key !== "constructor")
      Object.defineProperty(prototype, key, { get: fail, set: fail, configurable: true });
setTimeout(() => controller.abort(), 10);
await notes.create({ title: "x" }, { signal }).catch((error) => error.name);
