import { early, late } from './cycle-b.mjs';
export var a = 'a';
export const later = () => `b sees ${early}, then ${late()}`;
