// expect: value ["DataCloneError","DataCloneError",true]
const name = (value) => { try { structuredClone(value); } catch (error) { return error; } };
[name(() => 1).name, name({ deep: Symbol() }).name, name(() => 1) instanceof DOMException];
