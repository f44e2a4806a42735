#!/usr/bin/env -S vow run
// stdout: ran
console.log('ran');
