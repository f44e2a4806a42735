// stdout: { deep: [ 1, { a: null } ] }
// stdout: true
import data from './lib/data.json' with { type: 'json' };
const again = await import('./lib/data.json', { with: { type: 'json' } });
console.log(data);
console.log(again.default === data);
