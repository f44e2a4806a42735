// isolated-vm: a fresh isolate and context per run, memory limit, time limit,
// asynchronous host functions, disposal.
//   node isolated.mjs MILLISECONDS
// Prints one line of JSON.
import ivm from 'isolated-vm';
import * as work from './work.mjs';

const memoryLimit = work.memoryLimit / 1024 / 1024;
const limits = {timeout: 60000, filename: 'bench.js'};

const defineOp = `globalThis.op = (...args) =>
  $0.apply(undefined, args, {result: {promise: true, copy: true}});`;

async function open(answer) {
  const isolate = new ivm.Isolate({memoryLimit});
  const context = await isolate.createContext();
  const op = () => new Promise((resolve) => answer(() => resolve('note')));
  await context.evalClosure(defineOp, [new ivm.Reference(op)]);
  return {isolate, context};
}

async function threeCalls(answer) {
  const {isolate, context} = await open(answer);
  const value = await context.eval(work.threeCalls, {...limits, promise: true});
  work.expect(value, work.threeNotes);
  isolate.dispose();
}

function evaluate(source, expected) {
  const isolate = new ivm.Isolate({memoryLimit});
  work.expect(isolate.createContextSync().evalSync(source, limits), expected);
  isolate.dispose();
}

/** KiB of each of some sandboxes that wait for a call nobody answers. */
async function waitingKib() {
  const crowd = [];
  const before = work.residentKib();
  for (let i = 0; i < work.crowd / 10; i++) {
    const sandbox = await open(() => undefined);
    sandbox.context.eval(work.threeCalls, {...limits, promise: true}).catch(() => undefined);
    await sandbox.context.eval('0'); // the call has begun when this is answered
    crowd.push(sandbox);
  }
  const kib = (work.residentKib() - before) / crowd.length;
  for (const {isolate} of crowd)
    isolate.dispose();
  return kib;
}

work.print({
  ...await work.freshFigures(threeCalls, Number(process.argv[2])),
  ...work.loopFigures(evaluate),
  waiting_kib: await waitingKib(),
});
