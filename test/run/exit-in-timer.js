// status: 0
// stdout: tick
setInterval(() => { console.log('tick'); process.exit(); }, 1);
