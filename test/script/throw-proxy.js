// expect: error script
// Every trap throws.
const trap = () => { throw new Error("trapped"); };
throw new Proxy({}, new Proxy({}, { get: () => trap }));
