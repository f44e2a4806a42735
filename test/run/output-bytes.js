// bytes: 00ff80c3a90a
process.stdout.write(new Uint8Array([0, 255, 128]));
process.stdout.write('é\n');
