// expect: value [1,null,null]
// The length is read first, as JSON.stringify does.
const list = [{ toJSON() { list.length = 0; return 1; } }, 2, 3];
list;
