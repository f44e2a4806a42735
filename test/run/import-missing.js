// status: 1
// stderr~ Uncaught Error: Cannot find module '.*/run/lib/none\.js', imported by .*/import-missing\.js:7
// stderr~ at .*/import-missing\.js:7
// more: yes

// nothing of the file runs
import { x } from './lib/none.js';
console.log('never');
