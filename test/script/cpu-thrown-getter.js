// args: --cpu-ms 200
// expect: limit cpu
// Describing what was thrown is the script's time too.
throw { get message() { for (;;); } };
