// args: --allow notes.create
// lock: yes
// expect: value ["TimeoutError",1]
// The promise settles once; what the handler says later is dropped.
let settled = 0;
const call = notes.create({ title: "x" }, { timeout: 20 });
call.then(() => settled++, () => settled++);
const name = await call.catch((error) => error.name);
await sleep(50);
[name, settled];
