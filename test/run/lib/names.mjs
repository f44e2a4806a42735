export const name = 'renamed';
