// stdout: done
const id = setInterval(() => {}, 1000);
setTimeout(() => { clearInterval(id); console.log('done'); }, 1);
