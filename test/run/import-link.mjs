// link: lib/linked.mjs counter.mjs
// stdout: loaded
// stdout: true
import * as a from './lib/counter.mjs';
import * as b from './lib/linked.mjs';
console.log(a === b);
