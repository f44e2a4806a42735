// args: --allow notes.*
// expect: value ["Apple pie","new",3]
const fail = () => { throw new Error("replaced"); };
Array.prototype[Symbol.iterator] = fail;
String.prototype[Symbol.iterator] = fail;
Object.defineProperty(Object.prototype, Symbol.toPrimitive, { value: fail });
Object.defineProperty(Object.prototype, Symbol.toStringTag, { get: fail });
const made = await notes.create({ title: "new", tags: ["x"] });
const page = await notes.list({ limit: 3 });
({}).x = await sleep(1);
[(await notes.get("apple")).title, made.title, page.items.length];
