// expect: error script TypeError
const a = { list: [] };
a.list.push({ back: a });
a;
