// args: --allow notes.get
// expect: value 1
const rejected = Promise.reject(new Error("for a while"));
notes.get("apple").then(() => rejected.catch(() => {}));
1;
