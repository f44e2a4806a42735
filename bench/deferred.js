// Deferred as its peers are measured: bench/peers/deferred.mjs starts it and them.
//   vow run --workers THREADS bench/deferred.js MODE THREADS
import {measure} from './peers/measure.mjs';
import * as tasks from './peers/tasks.mjs';

const argumentsOf = (argument) => argument === undefined ? [] : [argument];

function open() {
  const run = (name, argument) => Deferred.run(tasks[name], argumentsOf(argument));
  return {
    run,
    runFor: (name, argument) => Deferred.run(tasks[name], argumentsOf(argument), {timeout: 10000}),
    cancellable(name) {
      const promise = run(name);
      return {promise, cancel: () => promise.cancel()};
    },
  };
}

const [mode, threads] = process.argv.slice(2);
await measure(mode, Number(threads), open);
