// expect: error deadlock
// seconds: 2
for await (const x of { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }) x;
