// Timers. The host keeps the time and calls fireTimer(id); what is to be called
// stays here. Ids are numbers, unique among live timers, never 0.

const TIMER_DELAY_MAX = 2147483647;
const TIMER_ID_MAX = 2147483647;

const timers = new Map();
let timerCount = 0; // the id given last

const clampDelay = (delay) => {
  const ms = MathTrunc(+delay);
  return ms > 0 ? MathMin(ms, TIMER_DELAY_MAX) : 0;
};

const nextTimerId = () => {
  do {
    timerCount = timerCount >= TIMER_ID_MAX ? 1 : timerCount + 1;
  } while (MapHas(timers, timerCount));
  return timerCount;
};

// The host may refuse (too many timers); then nothing was started.
const armTimer = (timer) => {
  const id = nextTimerId();
  timerStart(id, timer.ms);
  MapSet(timers, id, timer);
  return id;
};

// A one-shot timer of our own, with a callback the guest does not see.
const startTimer = (ms, callback) =>
  armTimer({
    __proto__: null, ms: clampDelay(ms), repeat: false, callback, args: emptyArguments,
  });

const emptyArguments = ObjectFreeze([]);

const stopTimer = (id) => {
  if (MapDelete(timers, id)) timerStop(id);
};

const fireTimer = (id) => {
  const timer = MapGet(timers, id);
  if (timer === undefined) return;
  if (!timer.repeat) {
    MapDelete(timers, id);
    ReflectApply(timer.callback, globalObject, timer.args);
    return;
  }
  try {
    ReflectApply(timer.callback, globalObject, timer.args);
  } finally {
    rearm(id, timer);
  }
};

const rearm = (id, timer) => {
  if (MapGet(timers, id) !== timer) return;
  try {
    timerStart(id, timer.ms);
  } catch (error) {
    MapDelete(timers, id);
    throw error;
  }
};

const clearTimers = () => {
  const entries = MapEntries(timers);
  for (;;) {
    const step = MapIteratorNext(entries);
    if (step.done) break;
    timerStop(step.value[0]);
  }
  MapClear(timers);
};

const guestTimer = (name, handler, delay, args, repeat) => {
  if (typeof handler !== "function") throw new TypeError(`${name} needs a function`);
  return armTimer({ __proto__: null, ms: clampDelay(delay), repeat, callback: handler, args });
};

const clearGuestTimer = (id) => {
  if (typeof id === "string" || typeof id === "number") stopTimer(+id);
};

// Methods, because those are no constructors.
const timerGlobals = {
  __proto__: null,
  setTimeout(handler, delay = 0, ...args) {
    return guestTimer("setTimeout", handler, delay, args, false);
  },
  setInterval(handler, delay = 0, ...args) {
    return guestTimer("setInterval", handler, delay, args, true);
  },
  clearTimeout(id = undefined) {
    clearGuestTimer(id);
  },
  clearInterval(id = undefined) {
    clearGuestTimer(id);
  },
  // Resolves after `ms`; an abort rejects with the signal's reason.
  sleep(ms, options = undefined) {
    return new Promise((resolve, reject) => {
      const { signal } = optionsFrom(options, "options");
      if (signal === undefined || signal === null) {
        startTimer(ms, () => resolve());
        return;
      }
      let id = 0;
      const watch = watchSignal(signal, (reason) => {
        stopTimer(id);
        reject(reason);
      });
      if (watch === null) {
        reject(signalReason(signal));
        return;
      }
      try {
        id = startTimer(ms, () => {
          unwatchSignal(signal, watch);
          resolve();
        });
      } catch (error) {
        unwatchSignal(signal, watch);
        throw error;
      }
    });
  },
};
