// stdout: sloppy 4
var outer = (function () { return this === globalThis; })() ? 'sloppy' : 'strict';
import('./lib/add.js').then(({ add }) => console.log(outer, add(2, 2)));
