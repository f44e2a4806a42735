// expect: value [1,null,3]
const list = [1, , 3];
list.extra = 1;
list;
