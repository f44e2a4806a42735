// args: --allow notes.*
// expect: value ["fine","",[]]
// What is inherited is no argument.
Object.prototype.tags = ["evil"];
Object.prototype.body = "evil";
const made = await notes.create({ title: "fine" });
[made.title, made.body, made.tags];
