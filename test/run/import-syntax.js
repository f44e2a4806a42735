// status: 1
// stderr~ Uncaught SyntaxError: 
// stderr~ at .*/lib/broken\.mjs:2:\d+
// stderr~ imported by .*/import-syntax\.js:5
import './lib/broken.mjs';
