// A digest of all notes, a page at a time, within half a second.
async function* pages(signal) {
  let after = null;
  do {
    const page = await notes.list({ limit: 2, after }, { signal });
    yield page.items;
    after = page.next;
  } while (after !== null);
}

async function main({ words = 3 }) {
  const signal = AbortSignal.timeout(500);
  const lines = [];
  for await (const items of pages(signal))
    for (const note of items)
      lines.push(`${note.title}: ${note.body.split(" ").slice(0, words).join(" ")}`);
  const missing = await notes
    .get("nowhere", { timeout: 100 })
    .catch((error) => `${error.name} ${error.code}`);
  return { lines, missing };
}
