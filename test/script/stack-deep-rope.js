// expect: value [20000,true]
let text = "";
for (let i = 0; i < 10000; i++) text = `a${text}b`;
[text.length, text === `${"a".repeat(10000)}${"b".repeat(10000)}`];
