// expect: limit result
const list = [];
list.length = 2 ** 32 - 1;
list;
