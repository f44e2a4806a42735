// expect: value [true,true]
// leaks: timer*2
const one = setTimeout(() => {}, 1), two = setInterval(() => {}, 1);
[typeof one === "number" && one > 0, one !== two];
