// The tasks that each pool of threads gets. Every function stands alone, so that it
// can be sent by itself too; it takes one argument at most.

export function empty() {}

export function fib20() {
  const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2);
  return fib(20);
}
fib20.result = 6765;

export function loop() {
  let sum = 0;
  for (let i = 0; i < 100000; i++)
    sum += i & 7;
  return sum;
}
loop.result = 350000;

/** 10 KB as JSON. */
export function rows() {
  const made = [];
  for (let i = 0; i < 100; i++)
    made.push({id: 100000 + i, title: `the title of row ${i}`, price: i / 4, done: i % 2 === 0,
               tags: ['first', 'second'], owner: 'someone'});
  return made;
}

export function spin() {
  for (;;);
}

export function nap(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms, 'awake'));
}
