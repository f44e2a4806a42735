export const add = (a, b) => a + b;
export const name = 'named';
export default 'default';
