// expect: error script
throw {
  get message() {
    throw new Error("no message for you");
  },
  get name() {
    throw null;
  },
  get stack() {
    throw 1;
  },
};
