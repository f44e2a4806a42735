// args: --cpu-ms 2000
// expect: limit result
// Each level refers to the one below ten times.
let level = "lol";
for (let i = 0; i < 12; i++) level = Array(10).fill(level);
level;
