// expect: error script
throw { get message() { return this.message; } };
