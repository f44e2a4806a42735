// stdout: undefined undefined function
console.log(typeof notes, typeof kv, typeof fetch);
