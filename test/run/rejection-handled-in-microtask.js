// stdout: handled
const rejected = Promise.reject(new Error('handled'));
queueMicrotask(() => rejected.catch((error) => console.log(error.message)));
