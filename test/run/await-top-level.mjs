// stdout: 3
const one = await Promise.resolve(1);
console.log(one + await new Promise((done) => setTimeout(done, 2, 2)));
