// expect: value ["RangeError","RangeError","RangeError"]
// What can never be is an error of the call and no limit.
const tries = [() => new ArrayBuffer(-1), () => new Array(-1), () => "x".repeat(Infinity)];
tries.map((attempt) => { try { attempt(); } catch (error) { return error.name; } });
