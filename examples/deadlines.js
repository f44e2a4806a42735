// Three ways to stop waiting: a deadline of one call, a signal for several
// calls, and a race.
async function main() {
  const first = await notes.get("welcome", { timeout: 0 }).catch((error) => error.name);

  const controller = new AbortController();
  const both = Promise.allSettled([
    notes.get("welcome", { signal: controller.signal }),
    notes.get("ideas", { signal: controller.signal }),
  ]);
  controller.abort("not needed any more");
  const second = (await both).map((result) => result.reason);

  const third = await Promise.race([sleep(5000).then(() => "slow"), sleep(5).then(() => "quick")]);
  return { first, second, third };
}
