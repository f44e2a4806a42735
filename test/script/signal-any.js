// args: --allow notes.create
// lock: yes
// expect: value ["second",true,false]
// leaks: timer
const first = new AbortController();
const second = new AbortController();
const signal = AbortSignal.any([first.signal, second.signal, AbortSignal.timeout(10000)]);
setTimeout(() => second.abort("second"), 10);
const reason = await notes.create({ title: "x" }, { signal }).catch((e) => e);
[reason, signal.aborted, first.signal.aborted];
