// expect: value 200
// Each time it is the same: nothing is used up.
const down = () => down() + 1;
let count = 0;
for (let i = 0; i < 200; i++) {
  try {
    down();
  } catch (error) {
    count += error instanceof RangeError;
  }
}
count;
