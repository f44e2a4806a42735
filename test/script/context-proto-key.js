// args: --context '{"__proto__":{"evil":1},"a":1}'
// expect: value ["undefined",["__proto__","a"]]
[typeof context.evil, Object.keys(context)];
