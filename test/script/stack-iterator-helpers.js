// expect: limit stack
// engines: wasm
// QuickJS-ng calls one helper's next() from another's without looking at the stack.
let iterator = [1].values();
for (let i = 0; i < 50000; i++) iterator = iterator.map((x) => x);
iterator.next().value;
