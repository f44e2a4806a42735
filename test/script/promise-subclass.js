// expect: value [true,5]
class Mine extends Promise {}
const mine = Mine.resolve(5);
[mine.then(() => {}) instanceof Mine, await mine];
