// Functions for `vow task`: each takes the one argument, and returns a value or a promise.

async function far(query) {
  await new Promise((resolve) => setTimeout(resolve, 60_000));
  return { city: query.city, celsius: -4, from: "js" };
}

function near({ city }) {
  return { city, celsius: -3, from: "js" };
}

function broken() {
  throw new RangeError("no such place");
}
