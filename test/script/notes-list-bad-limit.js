// args: --allow notes.list
// expect: value ["RangeError","RangeError","RangeError","TypeError","TypeError"]
const limits = [0, 1001, 1.5, "5", null];
const names = [];
for (const limit of limits)
  names.push(
    await notes.list({ limit }).then(
      () => "fine",
      (error) => error.name,
    ),
  );
names;
