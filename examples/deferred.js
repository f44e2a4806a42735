// Six things that Deferred does. Each function runs on a worker thread, has no
// variables but its arguments, and its promise settles here.

const show = (title, value) => console.log(`${title}: ${value}`);

// A long computation: this thread stays free meanwhile.
let ticks = 0;
const timer = setInterval(() => ticks++, 1);
show(
  "loop",
  await new Deferred(() => {
    let x = 0;
    while (x < 1_000_000) x++;
    return x;
  }),
);
clearInterval(timer);

show("arithmetic", await new Deferred((a, b) => a * b, 42, 2));
show("text", await new Deferred((text) => [...text].reverse().join(""), "deferred"));
show(
  "fibonacci",
  await new Deferred(function fib(n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
  }, 20),
);

// What the function throws arrives as it was thrown, with the worker's stack.
try {
  await new Deferred(() => {
    throw new RangeError("out of reach");
  });
} catch (error) {
  show("error", `${error.name}: ${error.message}`);
}

const three = [1, 2, 3].map((n) => new Deferred((x) => x * x, n));
show("together", await Promise.all(three));
