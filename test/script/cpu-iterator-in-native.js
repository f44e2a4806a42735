// args: --cpu-ms 200
// expect: limit cpu
// A native consumes the iterator and keeps nothing.
new Set((function* () { for (;;) yield 1; })());
