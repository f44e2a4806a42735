// expect: value "try"
try {
  "try";
} finally {
  "finally";
}
