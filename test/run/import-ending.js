// stdout~ Cannot find module '.*/lib/add' \(did you mean './lib/add\.js'\?\), imported by .*/import-ending\.js:2
await import('./lib/add').catch((error) => console.log(error.message));
