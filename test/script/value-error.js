// expect: value [{"name":"TypeError","message":"bad"},{"name":"Odd","message":"x"},{"name":"Error","message":""}]
class Odd extends Error {}
Odd.prototype.name = "Odd";
[new TypeError("bad", { cause: 1 }), Object.assign(new Odd("x"), { extra: 1 }), new Error()];
