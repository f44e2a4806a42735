// Waits for what can never come: found at once, without waiting for a limit.
await new Promise(() => {});
