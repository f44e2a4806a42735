// expect: value "gone"
await sleep(20000, { signal: AbortSignal.abort("gone") }).catch((reason) => reason);
