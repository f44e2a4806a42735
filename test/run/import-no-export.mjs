// status: 1
// stderr~ Uncaught SyntaxError: Could not find export 'none' in module '.*/lib/add\.js'
// stderr~ linking .*/import-no-export\.mjs
import { none } from './lib/add.js';
console.log(none);
