// expect: value ["RangeError","RangeError"]
// More arguments than a stack can hold.
const many = new Array(1000000).fill(0);
const tries = [() => Math.max(...many), () => Math.max.apply(null, many)];
tries.map((attempt) => { try { attempt(); return "fine"; } catch (error) { return error.name; } });
