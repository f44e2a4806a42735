// expect: error script
throw Object.create(null);
