// stdout: debug
// stdout: log
// stdout: info
// stderr: warn
// stderr: error
console.debug('debug');
console.log('log');
console.warn('warn');
console.info('info');
console.error('error');
