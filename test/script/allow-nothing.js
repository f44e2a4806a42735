// expect: value ["undefined","undefined","undefined",false]
[typeof notes, typeof kv, typeof fetch, "notes" in globalThis];
