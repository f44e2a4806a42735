// expect: error script TypeError
// stack: module-main-throws.js:3:
export function main() { return null.x; }
