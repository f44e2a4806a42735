// expect: value ["parens","brackets","braces","minus","not","arrow","ternary","power","template","new","await","function","if","class","call","comma","optional","spread","destructuring"]
// Source nested too deeply is an error of the script: SyntaxError or RangeError.
const n = 50000;
const sources = {
  parens: "(".repeat(n) + "1" + ")".repeat(n),
  brackets: "[".repeat(n) + "]".repeat(n),
  braces: "{".repeat(n) + "}".repeat(n),
  minus: "- ".repeat(n) + "1",
  not: "!".repeat(n) + "1",
  arrow: "a=>".repeat(n) + "1",
  ternary: "1?".repeat(n) + "1" + ":1".repeat(n),
  power: "2**".repeat(n) + "1",
  template: "`${".repeat(n) + "1" + "}`".repeat(n),
  new: "new ".repeat(n) + "Object",
  await: "async()=>" + "await ".repeat(n) + "1",
  function: "(function(){".repeat(n) + "})".repeat(n),
  if: "if(1)".repeat(n) + ";",
  class: "(class{x=".repeat(n) + "1" + "})".repeat(n),
  call: "f(".repeat(n) + ")".repeat(n),
  comma: "(1,".repeat(n) + "1" + ")".repeat(n),
  optional: "a?.[".repeat(n) + "]".repeat(n),
  spread: "[...".repeat(n) + "[]" + "]".repeat(n),
  destructuring: "var " + "[".repeat(n) + "a" + "]".repeat(n) + "=1",
};
const survived = [];
for (const name in sources) {
  try {
    new Function(sources[name]);
    survived.push(name);
  } catch (error) {
    survived.push(
      error instanceof SyntaxError || error instanceof RangeError ? name : `${name}: ${error}`,
    );
  }
}
survived;
