// args: --context '{"a":1}'
// expect: error script TypeError
"use strict";
context.a = 2;
