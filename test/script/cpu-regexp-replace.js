// args: --cpu-ms 200
// expect: limit cpu
"x".repeat(30000).replace(/(x+x+)+y/g, "");
