export let counter = 0;
export const next = () => { counter++; };
console.log('loaded');
