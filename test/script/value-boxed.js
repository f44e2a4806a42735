// expect: value [1,"s",false,2]
[new Number(1), new String("s"), new Boolean(false), Object(2n)];
