import { a } from './cycle-a.mjs';
export const early = a;
export const late = () => a;
