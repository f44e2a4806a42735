import { none } from './add.js';
export { none };
