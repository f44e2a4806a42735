// args: --cpu-ms 200
// expect: limit cpu
(0, eval)("for (;;);");
