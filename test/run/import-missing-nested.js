// status: 1
// stderr~ Cannot find module '.*/lib/nowhere\.mjs', imported by .*/lib/imports-missing\.mjs:2
// stderr~ at .*/lib/imports-missing\.mjs:2
// stderr~ imported by .*/import-missing-nested\.js:6
// more: yes
import './lib/imports-missing.mjs';
