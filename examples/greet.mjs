// A module: what its default export returns is the value.
export default function ({ who = "nobody" }) {
  return `Hello, ${who}`;
}
