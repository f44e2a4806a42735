// AbortController and AbortSignal.
//
// Who keeps whom alive: a signal keeps the sources it depends on; a source
// keeps a dependent (AbortSignal.any) only through a link that is strong while
// somebody listens to the dependent and weak otherwise, so a long-lived source
// does not collect the dependents of every call ever made.

const signalBrand = newBrand();
const controllerBrand = newBrand();

const LINKS_BEFORE_PRUNING = 16;

const signalState = (value) => signalBrand.need(value, "AbortSignal");

// One record serves as the state of the target too. It does not refer to its
// signal, so a signal nobody refers to goes at once, without a collection.
const newSignal = () => {
  const signal = ObjectCreate(AbortSignal.prototype);
  const state = {
    __proto__: null, listeners: newList(), changed: holdWhileListened, aborted: false,
    reason: undefined, watches: newList(), sources: null, links: null,
    pruneAt: LINKS_BEFORE_PRUNING, link: null, handler: null,
  };
  targetBrand.stamp(signal, state);
  signalBrand.stamp(signal, state);
  return signal;
};

// ---- links from a source to its dependents ----

const newLink = (signal) =>
  WeakRef === undefined
    ? { __proto__: null, ref: null, held: signal }
    : { __proto__: null, ref: new WeakRef(signal), held: null };

const linked = (link) => (link.ref === null ? link.held : WeakRefDeref(link.ref));

const holdWhileListened = (state) => {
  const { link } = state;
  if (link === null || link.ref === null) return;
  const listened = state.watches.length > 0 || hasListener(state, "abort");
  link.held = listened && !state.aborted ? linked(link) : null;
};

const addLink = (source, link) => {
  if (source.links === null) source.links = newList();
  const { links } = source;
  if (links.length >= source.pruneAt) {
    let kept = 0;
    for (let i = 0; i < links.length; i++) {
      const dependent = linked(links[i]);
      if (dependent && !signalBrand.read(dependent).aborted) links[kept++] = links[i];
    }
    links.length = kept;
    source.pruneAt = kept * 2 + LINKS_BEFORE_PRUNING;
  }
  links[links.length] = link;
};

// ---- aborting ----

const runWatches = (state) => {
  const { watches } = state;
  state.watches = newList();
  for (let i = 0; i < watches.length; i++) {
    if (!watches[i].active) continue;
    watches[i].active = false;
    try {
      watches[i].callback(state.reason);
    } catch (error) {
      reportException(error);
    }
  }
};

const tellAborted = (signal, state) => {
  runWatches(state);
  fireEvent(signal, "abort");
  holdWhileListened(state);
};

const setAborted = (state, reason) => {
  state.aborted = true;
  state.reason = reason;
  state.sources = null;
};

// Dependents have the reason before anybody is told of it.
const abortSignal = (signal, reason) => {
  const state = signalBrand.read(signal);
  if (state.aborted) return;
  setAborted(state, reason);
  const told = newList();
  const links = state.links === null ? newList() : state.links;
  for (let i = 0; i < links.length; i++) {
    const dependent = linked(links[i]);
    const other = dependent && signalBrand.read(dependent);
    if (!other || other.aborted) continue;
    setAborted(other, reason);
    told[told.length] = dependent;
  }
  state.links = null;
  tellAborted(signal, state);
  for (let i = 0; i < told.length; i++) tellAborted(told[i], signalBrand.read(told[i]));
};

const abortReason = (reason) =>
  reason === undefined
    ? new DOMException("This operation was aborted", "AbortError")
    : reason;

// ---- for the other files and the host bridge ----

// Null when the signal is aborted already; else a handle for unwatchSignal.
function watchSignal(signal, callback) {
  const state = signalBrand.read(signal);
  if (state === undefined) throw new TypeError("signal must be an AbortSignal");
  if (state.aborted) return null;
  const watch = { __proto__: null, callback, active: true };
  state.watches[state.watches.length] = watch;
  holdWhileListened(state);
  return watch;
}

function unwatchSignal(signal, watch) {
  const state = signalBrand.read(signal);
  if (state === undefined || watch === null || watch === undefined || !watch.active) return;
  watch.active = false;
  removeFrom(state.watches, watch);
  holdWhileListened(state);
}

const signalReason = (signal) => signalState(signal).reason;

// ---- AbortSignal.any ----

const addSource = (state, source) => {
  if (indexIn(state.sources, source) < 0) state.sources[state.sources.length] = source;
};

const anySignal = (signals) => {
  const result = newSignal();
  const state = signalBrand.read(result);
  for (let i = 0; i < signals.length; i++) {
    const source = signalBrand.read(signals[i]);
    if (source.aborted) {
      setAborted(state, source.reason);
      return result;
    }
  }
  state.sources = newList();
  for (let i = 0; i < signals.length; i++) {
    const { sources } = signalBrand.read(signals[i]);
    if (sources === null) addSource(state, signals[i]);
    else for (let j = 0; j < sources.length; j++) addSource(state, sources[j]);
  }
  state.link = newLink(result);
  for (let i = 0; i < state.sources.length; i++)
    addLink(signalBrand.read(state.sources[i]), state.link);
  return result;
};

// ---- the onabort attribute: one listener whose callback may be exchanged ----

const setHandler = (signal, state, callback) => {
  const old = state.handler;
  if (!isObject(callback)) {
    state.handler = null;
    if (old !== null) removeListener(state, old.listener);
    return;
  }
  if (old !== null) {
    old.callback = callback;
    return;
  }
  const handler = { __proto__: null, callback, listener: null };
  const call = (event) => {
    if (typeof handler.callback !== "function") return;
    if (ReflectApply(handler.callback, signal, [event]) === false)
      cancelEvent(eventBrand.read(event));
  };
  handler.listener = addListener(state, "abort", call, listenerOptions(undefined));
  state.handler = handler;
};

class AbortSignal extends EventTarget {
  constructor() {
    throw new TypeError("Illegal constructor: use AbortController");
  }
  static abort(reason = undefined) {
    const signal = newSignal();
    setAborted(signalBrand.read(signal), abortReason(reason));
    return signal;
  }
  static timeout(milliseconds) {
    needArguments(arguments.length, 1, "AbortSignal.timeout");
    const ms = MathTrunc(+milliseconds);
    if (!(ms >= 0 && ms <= 9007199254740991))
      throw new TypeError("milliseconds must be a number from 0 to 2^53 - 1");
    const signal = newSignal();
    startTimer(ms, () => {
      const reason = new DOMException("The operation was aborted due to timeout", "TimeoutError");
      abortSignal(signal, reason);
    });
    return signal;
  }
  static any(signals) {
    needArguments(arguments.length, 1, "AbortSignal.any");
    const list = listFrom(signals, "signals");
    for (let i = 0; i < list.length; i++)
      if (signalBrand.read(list[i]) === undefined)
        throw new TypeError("signals must contain nothing but AbortSignals");
    return anySignal(list);
  }
  get aborted() {
    return signalState(this).aborted;
  }
  get reason() {
    return signalState(this).reason;
  }
  throwIfAborted() {
    const state = signalState(this);
    if (state.aborted) throw state.reason;
  }
  get onabort() {
    const { handler } = signalState(this);
    return handler === null ? null : handler.callback;
  }
  set onabort(callback) {
    setHandler(this, signalState(this), callback);
  }
}

class AbortController {
  constructor() {
    controllerBrand.stamp(this, newSignal());
  }
  get signal() {
    return controllerBrand.need(this, "AbortController");
  }
  abort(reason = undefined) {
    const signal = controllerBrand.need(this, "AbortController");
    if (!signalBrand.read(signal).aborted) abortSignal(signal, abortReason(reason));
  }
}

// What inspect() shows of objects whose state is hidden.
const platformFields = (object) => {
  const signal = signalBrand.read(object);
  if (signal !== undefined) {
    const { aborted, reason } = signal;
    return aborted ? { __proto__: null, aborted, reason } : { __proto__: null, aborted };
  }
  const controlled = controllerBrand.read(object);
  if (controlled !== undefined) return { __proto__: null, signal: controlled };
  const event = eventBrand.read(object);
  if (event === undefined) return fetchFields(object);
  const { type, target, canceled } = event;
  return { __proto__: null, type, target, defaultPrevented: canceled };
};

const isPlatformObject = (object) =>
  targetBrand.read(object) !== undefined || platformFields(object) !== undefined ||
  decoderBrand.read(object) !== undefined || encoderBrand.read(object) !== undefined;
