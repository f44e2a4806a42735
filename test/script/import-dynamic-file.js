// expect: value ["refused","refused","refused","refused","refused"]
// not: root:
const names = ["/etc/passwd", "./vow.db", "file:///etc/passwd", "std", "data:text/javascript,1"];
const results = [];
for (const name of names) results.push(await import(name).then(() => "imported", () => "refused"));
results;
