// Event and EventTarget: one target per event, no tree.

const eventBrand = newBrand();
const targetBrand = newBrand();

const EVENT_NONE = 0;
const EVENT_AT_TARGET = 2;

// What guest callbacks throw where nobody can catch it.
const reportException = (error) => {
  hostLog(LOG_ERROR, `Uncaught ${inspect(error)}`);
};

const needArguments = (count, needed, name) => {
  if (count < needed)
    throw new TypeError(`${name} needs ${needed} argument${needed > 1 ? "s" : ""}, got ${count}`);
};

const eventState = (value) => eventBrand.need(value, "Event");

const newEventState = (type, options) => {
  const { bubbles, cancelable, composed } = options;
  return {
    __proto__: null, type, bubbles: !!bubbles, cancelable: !!cancelable, composed: !!composed,
    target: null, current: null, phase: EVENT_NONE, stopped: false, stoppedNow: false,
    canceled: false, dispatching: false, passive: false, trusted: false, time: hostNow(),
  };
};

const cancelEvent = (state) => {
  if (state.cancelable && !state.passive) state.canceled = true;
};

class Event {
  constructor(type, options = undefined) {
    needArguments(arguments.length, 1, "Event");
    eventBrand.stamp(this, newEventState(`${type}`, optionsFrom(options, "options")));
  }
  get type() {
    return eventState(this).type;
  }
  get target() {
    return eventState(this).target;
  }
  get srcElement() {
    return eventState(this).target;
  }
  get currentTarget() {
    return eventState(this).current;
  }
  get eventPhase() {
    return eventState(this).phase;
  }
  get bubbles() {
    return eventState(this).bubbles;
  }
  get cancelable() {
    return eventState(this).cancelable;
  }
  get composed() {
    return eventState(this).composed;
  }
  get defaultPrevented() {
    return eventState(this).canceled;
  }
  get returnValue() {
    return !eventState(this).canceled;
  }
  set returnValue(value) {
    const state = eventState(this);
    if (!value) cancelEvent(state);
  }
  get cancelBubble() {
    return eventState(this).stopped;
  }
  set cancelBubble(value) {
    const state = eventState(this);
    if (value) state.stopped = true;
  }
  get timeStamp() {
    return eventState(this).time;
  }
  get isTrusted() {
    return eventState(this).trusted;
  }
  composedPath() {
    const { current } = eventState(this);
    return current === null ? [] : [current];
  }
  stopPropagation() {
    eventState(this).stopped = true;
  }
  stopImmediatePropagation() {
    const state = eventState(this);
    state.stopped = true;
    state.stoppedNow = true;
  }
  preventDefault() {
    cancelEvent(eventState(this));
  }
}

// ---- targets ----

// `changed(state)` is told when a listener came or went.
const newTargetState = () => ({ __proto__: null, listeners: newList(), changed: null });

const targetState = (value) => targetBrand.need(value, "EventTarget");

const listenerOptions = (options) => {
  if (typeof options === "boolean" || !isObject(options))
    return { __proto__: null, capture: !!options, once: false, passive: false, signal: undefined };
  const { capture, once, passive, signal } = options;
  if (signal !== undefined && signalBrand.read(signal) === undefined)
    throw new TypeError("options.signal must be an AbortSignal");
  return { __proto__: null, capture: !!capture, once: !!once, passive: !!passive, signal };
};

const findListener = (state, type, callback, capture) => {
  const { listeners } = state;
  for (let i = 0; i < listeners.length; i++) {
    const at = listeners[i];
    if (at.type === type && at.callback === callback && at.capture === capture) return at;
  }
  return null;
};

const addListener = (state, type, callback, options) => {
  const listener = {
    __proto__: null, type, callback, capture: options.capture, once: options.once,
    passive: options.passive, removed: false, signal: options.signal, watch: null,
  };
  const { listeners } = state;
  listeners[listeners.length] = listener;
  if (options.signal !== undefined)
    listener.watch = watchSignal(options.signal, () => removeListener(state, listener));
  if (state.changed !== null) state.changed(state);
  return listener;
};

function removeListener(state, listener) {
  if (listener.removed) return;
  listener.removed = true;
  removeFrom(state.listeners, listener);
  if (listener.watch !== null) unwatchSignal(listener.signal, listener.watch);
  if (state.changed !== null) state.changed(state);
}

const hasListener = (state, type) => {
  for (let i = 0; i < state.listeners.length; i++)
    if (state.listeners[i].type === type) return true;
  return false;
};

const callListener = (callback, target, event) => {
  try {
    if (typeof callback === "function") {
      ReflectApply(callback, target, [event]);
      return;
    }
    const handle = callback.handleEvent;
    if (typeof handle !== "function") throw new TypeError("handleEvent is not a function");
    ReflectApply(handle, callback, [event]);
  } catch (error) {
    reportException(error);
  }
};

// Listeners added meanwhile are not called; those removed meanwhile neither.
const callListeners = (target, state, event, facts) => {
  const now = newList();
  for (let i = 0; i < state.listeners.length; i++) now[i] = state.listeners[i];
  for (let i = 0; i < now.length && !facts.stoppedNow; i++) {
    const listener = now[i];
    if (listener.removed || listener.type !== facts.type) continue;
    if (listener.once) removeListener(state, listener);
    facts.passive = listener.passive;
    callListener(listener.callback, target, event);
    facts.passive = false;
  }
};

const dispatch = (target, state, event, facts) => {
  facts.dispatching = true;
  facts.target = facts.current = target;
  facts.phase = EVENT_AT_TARGET;
  if (!facts.stopped) callListeners(target, state, event, facts);
  facts.phase = EVENT_NONE;
  facts.current = null;
  facts.dispatching = facts.stopped = facts.stoppedNow = false;
  return !facts.canceled;
};

// A trusted event of our own, made without running Event's constructor.
const fireEvent = (target, type) => {
  const state = targetState(target);
  if (!hasListener(state, type)) return;
  const event = ObjectCreate(Event.prototype);
  const facts = eventBrand.stamp(event, newEventState(type, emptyOptions));
  facts.trusted = true;
  dispatch(target, state, event, facts);
};

class EventTarget {
  constructor() {
    targetBrand.stamp(this, newTargetState());
  }
  addEventListener(type, callback, options = undefined) {
    const state = targetState(this);
    needArguments(arguments.length, 2, "addEventListener");
    const name = `${type}`;
    const chosen = listenerOptions(options);
    if (callback === null || callback === undefined) return;
    if (!isObject(callback)) throw new TypeError("the listener must be a function or an object");
    if (chosen.signal !== undefined && signalBrand.read(chosen.signal).aborted) return;
    if (findListener(state, name, callback, chosen.capture) === null)
      addListener(state, name, callback, chosen);
  }
  removeEventListener(type, callback, options = undefined) {
    const state = targetState(this);
    needArguments(arguments.length, 2, "removeEventListener");
    const capture = isObject(options) ? !!options.capture : !!options;
    const listener = findListener(state, `${type}`, callback, capture);
    if (listener !== null) removeListener(state, listener);
  }
  dispatchEvent(event) {
    const state = targetState(this);
    const facts = eventBrand.need(event, "Event");
    if (facts.dispatching)
      throw new DOMException("The event is already being dispatched", "InvalidStateError");
    facts.trusted = false;
    return dispatch(this, state, event, facts);
  }
}
