// expect: error script RangeError
// message: later
async function main() {
  await null;
  throw new RangeError("later");
}
