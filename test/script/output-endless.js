// expect: limit output
// seconds: 10
for (;;) console.error("again");
