#!/usr/bin/env vow
// expect: value "after the first line"
"after the first line";
