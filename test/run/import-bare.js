// stdout~ Cannot imp.rt 'left-pad': packages are not looked up; what works: .*'./file\.js'.*'vow:deferred', imported by .*/import-bare\.js:4
// stdout~ Cannot imp.rt 'node:fs': modules of node are not here; .*
// stdout~ Cannot imp.rt 'https://example\.com/a\.js': modules come from local files; .*
await import('left-pad').catch((error) => console.log(error.message));
await import('node:fs').catch((error) => console.log(error.message));
await import('https://example.com/a.js').catch((error) => console.log(error.message));
