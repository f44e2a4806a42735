// args: --allow notes.get
// lock: yes
// expect: value "Apple pie"
// Readers do not wait for a writer.
(await notes.get("apple")).title;
