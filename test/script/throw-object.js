// expect: error script
throw { code: 1 };
