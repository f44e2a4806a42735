// Reads two notes at once, searches, writes one, and returns what it found.
async function main() {
  const [welcome, ideas] = await Promise.all([notes.get("welcome"), notes.get("ideas")]);
  const found = await notes.search("promise");
  const missing = await notes.get("nowhere").catch((error) => error.name);
  await notes.update("ideas", { tags: [...ideas.tags, "read"] });
  return {
    titles: [welcome.title, ideas.title],
    found: found.map((note) => note.id),
    missing,
  };
}
