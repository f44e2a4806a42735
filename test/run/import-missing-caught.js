// stdout: Error ERR_MODULE_NOT_FOUND
try { await import('./lib/none.js'); } catch (error) { console.log(error.name, error.code); }
