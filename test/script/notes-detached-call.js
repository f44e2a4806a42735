// args: --allow notes.get
// expect: value "Apple pie"
// `this` does not matter.
const { get } = notes;
(await get.call(undefined, "apple")).title;
