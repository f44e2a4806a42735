// status: 4
// stdout: exiting
import './lib/exits.mjs';
console.log('never');
