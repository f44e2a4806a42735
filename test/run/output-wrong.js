// stdout: TypeError: write() takes a string or a Uint8Array
try { process.stdout.write(5); } catch (error) { console.log(String(error)); }
