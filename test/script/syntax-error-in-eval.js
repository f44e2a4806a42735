// expect: value "SyntaxError"
try {
  eval("1 +");
} catch (error) {
  error.name;
}
