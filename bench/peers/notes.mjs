// The statement of notes.get through better-sqlite3, in the thread that asks: no
// sandbox, no promise but for the second figure, no worker thread.
//   node notes.mjs DATABASE MILLISECONDS
// DATABASE is one of Vow's with the notes of noteLines(). Prints one line of JSON.
import Database from 'better-sqlite3';
import {expect, notes, print} from './work.mjs';

const db = new Database(process.argv[2], {readonly: true, fileMustExist: true});
const milliseconds = Number(process.argv[3]);
const select = db.prepare(
  'SELECT id, title, body, tags, created, updated FROM notes WHERE vault = ? AND id = ?');

function get(id) {
  const row = select.get('default', id);
  return {...row, tags: row.tags.split('\n').filter(Boolean), created: new Date(row.created).toISOString(),
          updated: new Date(row.updated).toISOString()};
}

/** Calls per second, in rounds over all notes. */
async function perSecond(round, ms) {
  const start = process.hrtime.bigint(), end = start + BigInt(ms) * 1000000n;
  let count = 0, now;
  do {
    await round();
    count += notes;
    now = process.hrtime.bigint();
  } while (now < end);
  return count * 1e9 / Number(now - start);
}

function plain() {
  for (let i = 0; i < notes; i++)
    expect(get(`n${i}`).title, `title ${i}`);
}

async function awaited() {
  const later = async (id) => get(id);
  for (let i = 0; i < notes; i++)
    expect((await later(`n${i}`)).title, `title ${i}`);
}

await perSecond(plain, milliseconds); // until V8 has compiled what it will
const figures = {notes_get_per_s: await perSecond(plain, milliseconds),
                 notes_get_awaited_per_s: await perSecond(awaited, milliseconds)};
db.close();
print(figures);
