// expect: error script TypeError
// stack: forgotten
async function forgotten() {
  await null;
  null.x;
}
forgotten();
1;
