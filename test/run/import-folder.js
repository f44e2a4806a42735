// stdout~ Cannot import '.*/lib': cannot be read: Is a directory, imported by .*/import-folder\.js:2
await import('./lib').catch((error) => console.log(error.message));
