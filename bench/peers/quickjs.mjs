// quickjs-emscripten with everything on: a fresh runtime and context per run,
// memory limit, stack limit, interrupt handler, host functions that return
// promises, disposal. Called as: node quickjs.mjs MILLISECONDS
import {newQuickJSWASMModuleFromVariant} from 'quickjs-emscripten-core';
import variant from '@jitl/quickjs-wasmfile-release-sync';
import * as work from './work.mjs';

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

const ms = Number(process.argv[2] ?? 1000);
const atOnce = (settle) => settle();
const later = (settle) => setImmediate(settle);
await work.timed(() => threeCalls(later), ms / 4);
console.log(JSON.stringify({
  fresh_3_calls_later_us: await work.timed(() => threeCalls(later), ms),
  fresh_3_calls_us: await work.timed(() => threeCalls(atOnce), ms),
  fib27_ms: work.once(() => evaluate(work.fib, work.fibValue)),
  properties_ms: work.once(() => evaluate(work.properties, work.propertiesValue)),
}));
