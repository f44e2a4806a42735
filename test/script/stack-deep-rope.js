// expect: value [400000,true]
let text = "";
for (let i = 0; i < 200000; i++) text = `a${text}b`;
[text.length, text === `${"a".repeat(200000)}${"b".repeat(200000)}`];
