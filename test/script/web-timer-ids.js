// expect: value [true,true]
const one = setTimeout(() => {}, 1), two = setInterval(() => {}, 1);
[typeof one === "number" && one > 0, one !== two];
