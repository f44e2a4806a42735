// status: 9
async function leave() {
  try { await 1; process.exit(9); } finally { console.log('finally'); }
}
leave().then(() => console.log('then'), () => console.log('catch'));
setInterval(() => console.log('interval'), 1000);
