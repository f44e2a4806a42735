// expect: value "done"
export default async function () {
  await sleep(1);
  return "done";
}
