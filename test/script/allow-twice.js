// args: --allow notes.get,notes.get,notes.*
// expect: value 6
Object.keys(notes).length;
