// expect: value ["hello",true,false]
const target = new EventTarget();
const log = [];
const listener = (event) => { log.push(event.type); event.preventDefault(); };
target.addEventListener("hello", listener);
const first = target.dispatchEvent(new Event("hello"));
const second = target.dispatchEvent(new Event("hello", { cancelable: true }));
[log[0], first, second];
