// size: 83886160
// More than one message between threads holds.
new Deferred(() => {
  const line = "x".repeat(1 << 20);
  for (let i = 0; i < 80; i++) console.log(line);
});
