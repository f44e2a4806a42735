// status: 1
// stdout: before
// stderr: Uncaught Error: at load
// stderr~ lib/throws\.mjs:2
import './lib/throws.mjs';
console.log('never');
