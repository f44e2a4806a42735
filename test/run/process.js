// stdout: linux true true
// stdout: from the test
// stdout: TypeError
// stdout: undefined
console.log(process.platform, Number.isInteger(process.pid), process.cwd().startsWith('/'));
console.log(process.env.VOW_RUN_TEST);
try { (() => { 'use strict'; process.env.NEW = 'x'; })(); } catch (error) { console.log(error.name); }
console.log(process.env.NEW);
