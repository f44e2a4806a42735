// expect: value 7
const main = 5;
7;
