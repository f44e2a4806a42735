// A hand-kept worker: one message in, one out.
import * as tasks from './tasks.mjs';

function answer({id, name, argument}, post) {
  const value = tasks[name](argument);
  if (value instanceof Promise)
    value.then((later) => post({id, value: later}));
  else
    post({id, value});
}

if (typeof self === 'object') {
  self.onmessage = ({data}) => answer(data, (message) => self.postMessage(message));
} else {
  const {parentPort} = await import('node:worker_threads');
  parentPort.on('message', (data) => answer(data, (message) => parentPort.postMessage(message)));
}
