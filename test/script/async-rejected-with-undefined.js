// expect: error script
Promise.reject();
1;
