// options: --db sqlite:run.db --vault mine
// stdout: true kept
const { id } = await notes.create({ title: 'kept', body: '' });
console.log(typeof id === 'string', (await notes.get(id)).title);
