// expect: value [["","a","ab","abc"],["","YQ==","YWI=","YWJj"],"YWI","ab","undefg==","InvalidCharacterError,InvalidCharacterError,InvalidCharacterError,InvalidCharacterError,InvalidCharacterError,InvalidCharacterError,InvalidCharacterError","true,5","ÿ\u0000","bnVsbA==","TypeError,TypeError","AAAA"]
const fails = (call) => {
  try {
    return `fine ${call()}`;
  } catch (error) {
    return error instanceof DOMException && error.code !== 5 ? "code" : error.name;
  }
};
const encoded = ["", "a", "ab", "abc"].map(btoa);
let thrown;
try { atob("!"); } catch (error) { thrown = error; }
const rope = "A".repeat(2) + String.fromCharCode(65, 65);
[
  encoded.map((text) => atob(text)),
  encoded,
  btoa("ab").slice(0, 3),
  atob(" Y W\tI\n\f\r"),
  btoa(atob("undefi")),
  [
    () => atob("a"), () => atob("YQ="), () => atob("YQ==="), () => atob("Y=Q="), () => atob("Y\u00a0Q"),
    () => btoa("\u0100"), () => atob("\u0100"),
  ].map(fails).join(),
  `${thrown instanceof DOMException},${thrown.code}`,
  atob("/wA="),
  btoa(null),
  [() => atob(), () => btoa(Symbol("x"))].map(fails).join(),
  btoa(atob(rope)),
];
