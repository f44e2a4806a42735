// expect: value "yes"
if (1 < 2) {
  "yes";
} else {
  "no";
}
