// expect: value null
export const a = 1;
