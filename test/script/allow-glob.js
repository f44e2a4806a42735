// args: --allow notes.g*,notes.list
// expect: value ["get","list"]
Object.keys(notes).sort();
