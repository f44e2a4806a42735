// expect: value ["RangeError",true,"went on"]
let depth = 0;
function down() { depth++; return down() + 1; }
let name;
try {
  down();
} catch (error) {
  name = error instanceof RangeError && error.name;
}
[name, depth > 20, "went on"];
