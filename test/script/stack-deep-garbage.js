// expect: value "freed"
// Freeing a long chain needs no stack.
let head = null;
for (let i = 0; i < 200000; i++) head = { next: head };
head = null;
let list = [];
for (let i = 0; i < 200000; i++) list = [list];
list = null;
"freed";
