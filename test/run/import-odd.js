// stdout~ .*\./lib/add\.js\?x.*: files have no query and no fragment.*
// stdout~ .*: a file: URL is 'file:///folder/file\.js'.*
// stdout~ .*: no file name holds an escaped '/' or zero.*
// stdout~ .*: too long a path.*
// stdout~ .*: only ES modules are imported.*
// stdout~ .*: the only attribute there is is with \{type: 'json'\}.*
const say = (error) => console.log(error.message);
await import('./lib/add.js?x').catch(say);
await import('file://elsewhere/a.js').catch(say);
await import('./lib%2fadd.js').catch(say);
await import('./' + 'x'.repeat(5000)).catch(say);
await import('./lib/old.cjs').catch(say);
await import('./lib/add.js', { with: { type: 'css' } }).catch(say);
