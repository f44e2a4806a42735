// expect: value 4
const two = await Promise.resolve(2);
two * (await 2);
