// args: --allow notes.search
// expect: value true
// No text has a special meaning to the search.
const texts = [
  '"',
  "*",
  "a AND",
  "NEAR(",
  "title:",
  "^",
  "-",
  "(",
  "'; DROP TABLE notes; --",
  "a\0b",
  "",
];
for (const text of texts) await notes.search(text);
true;
