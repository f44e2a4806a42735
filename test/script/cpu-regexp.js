// args: --cpu-ms 200
// expect: limit cpu
/^(a+)+$/.test("a".repeat(40) + "b");
