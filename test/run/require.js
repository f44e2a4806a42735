// stdout: TypeError: require('fs') is not here: use import ... from './file.js', or await import('./file.js')
try { require('fs'); } catch (error) { console.log(String(error)); }
