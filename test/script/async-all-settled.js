// args: --allow notes.get
// expect: value ["fulfilled","rejected","NotFoundError"]
const [one, two] = await Promise.allSettled([notes.get("apple"), notes.get("zebra")]);
[one.status, two.status, two.reason.name];
