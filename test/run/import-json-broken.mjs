// status: 1
// stderr~ Uncaught SyntaxError: 
// stderr~ lib/broken\.json:1
// stderr~ imported by .*/import-json-broken\.mjs:5
import data from './lib/broken.json' with { type: 'json' };
