// args: --allow notes.*
// expect: value ["create:1","delete:1","get:1","list:1","search:2","update:2"]
Object.keys(notes).sort().map((key) => `${notes[key].name}:${notes[key].length}`);
