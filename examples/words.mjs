// The longest words of what is said, or of the texts that the command line gives.
import { longest } from './lib/longest.mjs';
import said from './lib/said.json' with { type: 'json' };

const texts = process.argv.length > 2 ? process.argv.slice(2) : said;
for (const text of texts) {
  await sleep(1);
  console.log(`${longest(text)}: ${text}`);
}
if (texts.length < 2) process.exitCode = 1;
