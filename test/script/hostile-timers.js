// expect: value "slept"
globalThis.setTimeout =
  globalThis.clearTimeout =
  globalThis.queueMicrotask =
    () => {
      throw new Error("replaced");
    };
await sleep(1);
("slept");
