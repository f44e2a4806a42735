// args: --allow kv.get
// expect: value ["function","undefined","undefined","undefined"]
[typeof kv.get, typeof kv.set, typeof kv.delete, typeof kv.list];
