// status: 7
// stdout: before
setTimeout(() => console.log('timer'), 0);
queueMicrotask(() => console.log('microtask'));
console.log('before');
try { process.exit(7); } catch { console.log('caught'); } finally { console.log('finally'); }
console.log('after');
