// Pools of threads in node, bun and deno.
//   pools.mjs KIND MODE THREADS
// KIND is piscina, tinypool, workerpool, or kept: workers that are made once and get
// messages with a number, in turn; it has no queue and no policy.
import {measure} from './measure.mjs';

const fileOf = (name) => new URL(name, import.meta.url);

/** Piscina's and tinypool's interface is the same. */
function abortable(pool) {
  return {
    run: (name, argument) => pool.run(argument, {name}),
    cancellable(name) {
      const controller = new AbortController();
      return {promise: pool.run(undefined, {name, signal: controller.signal}),
              cancel: () => controller.abort()};
    },
  };
}

async function piscina() {
  const {Piscina} = await import('piscina');
  const filename = fileOf('tasks.mjs').href;
  return (threads) => abortable(new Piscina({filename, minThreads: threads, maxThreads: threads}));
}

async function tinypool() {
  const {Tinypool} = await import('tinypool');
  const filename = fileOf('tasks.mjs').href;
  return (threads) => abortable(new Tinypool({filename, minThreads: threads, maxThreads: threads}));
}

async function workerpool() {
  const {default: library} = await import('workerpool');
  return (threads) => {
    const pool = library.pool(fileOf('worker_pool.mjs').pathname,
                              {minWorkers: threads, maxWorkers: threads, workerType: 'thread'});
    const run = (name, argument) => pool.exec(name, [argument]);
    return {
      run,
      cancellable(name) {
        const promise = run(name);
        return {promise, cancel: () => promise.cancel()};
      },
    };
  };
}

/** Node's workers and those of the web differ in how they tell. */
async function workers() {
  if (typeof Worker === 'function')
    return (listen) => {
      const worker = new Worker(fileOf('worker_kept.mjs'), {type: 'module'});
      worker.onmessage = ({data}) => listen(data);
      return worker;
    };
  const threads = await import('node:worker_threads');
  return (listen) => {
    const worker = new threads.Worker(fileOf('worker_kept.mjs'));
    worker.on('message', listen);
    return worker;
  };
}

async function kept() {
  const make = await workers();
  return (threads) => {
    const waiting = new Map();
    const settle = ({id, value}) => {
      waiting.get(id)(value);
      waiting.delete(id);
    };
    const crew = Array.from({length: threads}, () => make(settle));
    let id = 0;
    const run = (name, argument) => new Promise((resolve) => {
      waiting.set(++id, resolve);
      crew[id % threads].postMessage({id, name, argument});
    });
    return {
      run,
      cancellable(name) {
        let reject;
        const stopped = new Promise((_, no) => { reject = no; });
        const at = (id + 1) % threads;
        return {
          promise: Promise.race([run(name), stopped]),
          async cancel() {
            const worker = crew[at];
            crew[at] = make(settle);
            await worker.terminate();
            reject(new Error('terminated'));
          },
        };
      },
    };
  };
}

const kinds = {piscina, tinypool, workerpool, kept};
const [kind, mode, threads] = process.argv.slice(2);
await measure(mode, Number(threads), await kinds[kind]());
process.exit(0);
