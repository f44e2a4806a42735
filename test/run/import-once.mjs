// stdout: loaded
// stdout: 2
import { next } from './lib/counter.mjs';
import { counter } from './lib/../lib/counter.mjs';
next();
next();
console.log(counter);
