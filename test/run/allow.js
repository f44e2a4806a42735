// options: --allow kv.get --db sqlite:allow.db
// stdout: undefined [ 'get' ] undefined
console.log(typeof fetch, Object.keys(kv), typeof notes);
