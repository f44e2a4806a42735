// args: --result-kib 1
// expect: limit result
// The limit is on the JSON text.
"\u0001".repeat(500);
