// quickjs-emscripten with everything on: a fresh runtime and context per run,
// memory limit, stack limit, interrupt handler, host functions that return
// promises, disposal.
//   node quickjs.mjs VARIANT MILLISECONDS
// VARIANT is the package of its WebAssembly module. Prints one line of JSON.
import {newQuickJSWASMModuleFromVariant} from 'quickjs-emscripten-core';
import * as work from './work.mjs';

const [name, milliseconds] = process.argv.slice(2);
const variant = (await import(name)).default;
const quickjs = await newQuickJSWASMModuleFromVariant(variant);

function open() {
  const runtime = quickjs.newRuntime();
  runtime.setMemoryLimit(work.memoryLimit);
  runtime.setMaxStackSize(work.stackLimit);
  const deadline = Date.now() + 60000;
  runtime.setInterruptHandler(() => Date.now() > deadline);
  return {runtime, context: runtime.newContext()};
}

function close({runtime, context}) {
  context.dispose();
  runtime.dispose();
}

/** `answer(settle)` says when a host call is answered. */
function defineOp({runtime, context}, answer) {
  const op = context.newFunction('op', () => {
    const promise = context.newPromise();
    promise.settled.then(() => {
      if (runtime.alive)
        runtime.executePendingJobs();
    });
    answer(() => {
      const note = context.newString('note');
      promise.resolve(note);
      note.dispose();
    });
    return promise.handle;
  });
  context.setProp(context.global, 'op', op);
  op.dispose();
}

async function threeCalls(answer) {
  const sandbox = open();
  const {runtime, context} = sandbox;
  defineOp(sandbox, answer);
  const promise = context.unwrapResult(context.evalCode(work.threeCalls, 'bench.js'));
  const settled = context.resolvePromise(promise);
  promise.dispose();
  runtime.executePendingJobs();
  const value = context.unwrapResult(await settled);
  work.expect(context.getString(value), work.threeNotes);
  value.dispose();
  close(sandbox);
}

function evaluate(source, expected) {
  const sandbox = open();
  const value = sandbox.context.unwrapResult(sandbox.context.evalCode(source, 'bench.js'));
  work.expect(sandbox.context.getNumber(value), expected);
  value.dispose();
  close(sandbox);
}

/** KiB of each of many sandboxes that wait for a call nobody answers. */
function waitingKib() {
  const crowd = [];
  const never = () => undefined;
  const before = work.residentKib();
  for (let i = 0; i < work.crowd; i++) {
    const sandbox = open();
    defineOp(sandbox, never);
    sandbox.context.unwrapResult(sandbox.context.evalCode(work.threeCalls, 'bench.js')).dispose();
    crowd.push(sandbox);
  }
  return (work.residentKib() - before) / crowd.length;
}

work.print({
  ...await work.freshFigures(threeCalls, Number(milliseconds)),
  ...work.loopFigures(evaluate),
  waiting_kib: waitingKib(),
});
