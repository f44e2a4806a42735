// expect: varies
[Math.random(), Math.random(), Math.random()];
