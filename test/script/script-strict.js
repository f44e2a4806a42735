// expect: error script ReferenceError
"use strict";
undeclared = 1;
