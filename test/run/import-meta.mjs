// stdout: true true true
// stdout: true
import { url } from './lib/meta.mjs';
console.log(import.meta.url.startsWith('file:///'), import.meta.url.endsWith('/import-meta.mjs'),
  new URL(import.meta.url).pathname === import.meta.filename);
console.log(url === new URL('./lib/meta.mjs', import.meta.url).href);
