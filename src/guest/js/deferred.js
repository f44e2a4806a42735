// Progress of a Deferred, and Deferred.map. A bundle of its own, read when a program first
// uses one of them; the program is trusted, but what it may have replaced by then is not
// used: no method of a value is looked up on a prototype once this has run.

const { Array, Map, Promise, Symbol, TypeError, WeakMap } = globalThis;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const arrayFrom = Array.from;
const isSafeInteger = Number.isSafeInteger;
const then = uncurry(Promise.prototype.then);
const stateGet = uncurry(WeakMap.prototype.get);
const stateSet = uncurry(WeakMap.prototype.set);
const mapSet = uncurry(Map.prototype.set);
const mapDelete = uncurry(Map.prototype.delete);
const mapForEach = uncurry(Map.prototype.forEach);
const push = uncurry(Array.prototype.push);
const shift = uncurry(Array.prototype.shift);
const call = uncurry(Function.prototype.call);
const { run, watchSignal, unwatchSignal, signalReason } = vow;
const cancel = uncurry(vow.cancel);

// ---- progress: the latest values that nobody has read yet ----

const PROGRESS_KEPT = 64;
const states = new WeakMap();

const newState = (ended) => {
  const kept = [];
  const waiting = [];
  const state = {
    __proto__: null, ended, kept, waiting,
    iterable: {
      next() {
        if (kept.length > 0)
          return new Promise((resolve) => resolve({ value: shift(kept), done: false }));
        if (state.ended) return new Promise((resolve) => resolve({ value: undefined, done: true }));
        return new Promise((resolve) => push(waiting, resolve));
      },
      // A loop that was left may be followed by another.
      return(value) {
        return new Promise((resolve) => resolve({ value, done: true }));
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    },
  };
  return state;
};

const stateOf = (promise, pending) => {
  let state = stateGet(states, promise);
  if (state === undefined) stateSet(states, promise, (state = newState(!pending)));
  return state;
};

const progressOf = (promise, pending) => stateOf(promise, pending).iterable;

const progressed = (promise, value) => {
  const { kept, waiting } = stateOf(promise, true);
  if (waiting.length > 0) {
    shift(waiting)({ value, done: false });
  } else {
    if (kept.length === PROGRESS_KEPT) shift(kept);
    push(kept, value);
  }
  const { onprogress } = promise;
  if (typeof onprogress === "function") call(onprogress, promise, value);
};

const ended = (promise) => {
  const state = stateGet(states, promise);
  if (state === undefined) return;
  state.ended = true;
  while (state.waiting.length > 0) shift(state.waiting)({ value: undefined, done: true });
};

// ---- Deferred.map ----

const readMapOptions = (options) => {
  const { concurrency = vow.concurrency, signal, onprogress, ...task } = options ?? {};
  if (!isSafeInteger(concurrency) || concurrency < 1)
    throw new TypeError("Deferred.map: options.concurrency must be a whole number, 1 or more");
  if (onprogress !== undefined && typeof onprogress !== "function")
    throw new TypeError("Deferred.map: options.onprogress must be a function");
  return { __proto__: null, concurrency, signal, onprogress, task };
};

const map = (items, fn, options = undefined) =>
  new Promise((resolve, reject) => {
    if (items?.[Symbol.iterator] === undefined)
      throw new TypeError("Deferred.map: give it a list of items");
    const list = call(arrayFrom, Array, items);
    const { concurrency, signal, onprogress, task } = readMapOptions(options);
    const total = list.length;
    const results = new Array(total);
    const live = new Map();
    let next = 0;
    let done = 0;
    let running = 0;
    let over = false;
    let watch = null;

    // The first end counts; what still runs then is cancelled.
    const end = (settle, value) => {
      if (over) return;
      over = true;
      if (watch !== null) unwatchSignal(signal, watch);
      settle(value);
      mapForEach(live, (index, one) => cancel(one));
    };

    const tell = (index, value) => {
      if (onprogress !== undefined && !over) onprogress({ done, total, index, value });
    };

    const start = (index) => {
      const one = run(fn, [list[index], index], task);
      running++;
      mapSet(live, one, index);
      if (onprogress !== undefined) one.onprogress = (value) => tell(index, value);
      const gone = () => {
        running--;
        mapDelete(live, one);
      };
      then(one, (value) => {
        gone();
        results[index] = value;
        done++;
        guarded(() => tell(index, undefined));
        if (done === total) end(resolve, results);
        else guarded(fill);
      }, (error) => {
        gone();
        end(reject, error);
      });
    };

    const fill = () => {
      while (!over && next < total && running < concurrency) start(next++);
    };

    const guarded = (step) => {
      try {
        step();
      } catch (error) {
        end(reject, error);
      }
    };

    if (typeof fn !== "function") throw new TypeError("Deferred.map: give it a function to run");
    if (signal !== undefined && signal !== null) {
      watch = watchSignal(signal, (reason) => end(reject, reason));
      if (watch === null) throw signalReason(signal);
    }
    if (total === 0) end(resolve, results);
    else guarded(fill);
  });

return { __proto__: null, map, progressOf, progressed, ended };
