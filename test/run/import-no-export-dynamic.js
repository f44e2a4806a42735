// stdout~ SyntaxError Could not find export 'none' in module '.*/lib/add\.js'
await import('./lib/wants-none.mjs').catch((error) => console.log(error.name, error.message));
