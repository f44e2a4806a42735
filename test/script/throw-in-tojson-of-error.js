// expect: error script Error
// message: plain
const error = new Error("plain");
error.toJSON = () => { throw new TypeError("never asked"); };
throw error;
