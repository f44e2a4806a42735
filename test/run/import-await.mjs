// stdout: waited
import { value } from './lib/awaits.mjs';
console.log(value);
