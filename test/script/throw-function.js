// expect: error script
throw function thrown() {};
