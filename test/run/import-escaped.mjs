// stdout: spaced
import name from './lib/with%20space.mjs';
console.log(name);
