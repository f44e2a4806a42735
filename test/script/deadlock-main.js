// expect: error deadlock
// seconds: 2
const main = () => new Promise(() => {});
