// args: --cpu-ms 200
// expect: limit cpu
throw { toString() { for (;;); } };
