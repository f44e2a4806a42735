// stdout: own own own own
const context = 'own', sleep = 'own', require = 'own', process = 'own';
console.log(context, sleep, require, process);
