// size: 12000001
process.stdout.write('x'.repeat(12e6));
console.log();
