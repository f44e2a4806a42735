// stdout: 3 named default renamed
import main, { add, name } from './lib/add.js';
import * as all from '../run/lib/add.js';
import { name as other } from './lib/names.mjs';
console.log(add(1, 2), name, main, other === 'renamed' && all.add === add ? 'renamed' : all);
