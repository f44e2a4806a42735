// together: a
// together: b
// together: c
// together: de
// together: f
console.log('a');
console.error('b');
console.log('c');
process.stdout.write('d');
process.stderr.write('e\n');
process.stdout.write(new Uint8Array([0x66, 0x0a]));
