export const longest = (text) =>
  text.split(/\W+/).reduce((best, word) => (word.length > best.length ? word : best), '');
