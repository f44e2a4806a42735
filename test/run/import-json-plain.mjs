// status: 1
// stderr~ Uncaught Error: Cannot import '.*/lib/data\.json' as a module: JSON needs with \{type: 'json'\}, imported by .*/import-json-plain\.mjs:5
// stderr~ at .*import-json-plain\.mjs:5
// more: yes
import data from './lib/data.json';
