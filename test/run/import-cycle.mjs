// stdout: b sees undefined, then a
import { later } from './lib/cycle-a.mjs';
console.log(later());
