// expect: error script TypeError
// stack: module-main-throws.js:4:
export function main() { return null.x; }
