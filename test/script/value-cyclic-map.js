// expect: error script TypeError
const map = new Map();
map.set("self", new Set([map]));
map;
