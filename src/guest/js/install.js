// Puts the globals in place and gives the host bridge its internals.

// Members of web interfaces are enumerable; those of classes are not.
const finishInterface = (constructor) => {
  const { name, prototype } = constructor;
  for (const key of ReflectOwnKeys(prototype)) {
    if (key !== "constructor")
      ReflectDefineProperty(prototype, key, { __proto__: null, enumerable: true });
  }
  ReflectDefineProperty(prototype, SymbolToStringTag, {
    __proto__: null, value: name, configurable: true,
  });
};

const eventPhases = {
  __proto__: null, NONE: EVENT_NONE, CAPTURING_PHASE: 1, AT_TARGET: EVENT_AT_TARGET,
  BUBBLING_PHASE: 3,
};
for (const name in eventPhases) {
  const constant = { __proto__: null, value: eventPhases[name], enumerable: true };
  ReflectDefineProperty(Event, name, constant);
  ReflectDefineProperty(Event.prototype, name, constant);
}

const interfaces = [
  Event, EventTarget, AbortSignal, AbortController, TextEncoder, TextDecoder, URL,
  URLSearchParams, Headers, Request, Response,
];
for (const constructor of interfaces) finishInterface(constructor);
finishUrlInterfaces();

// When the run began by the clock of the wall; asked for late, it is the same.
let timeOrigin;
const performance = {
  now() {
    return hostNow();
  },
  get timeOrigin() {
    if (timeOrigin === undefined) timeOrigin = DateNow() - hostNow();
    return timeOrigin;
  },
};
ReflectDefineProperty(performance, SymbolToStringTag, {
  __proto__: null, value: "Performance", configurable: true,
});
ReflectDefineProperty(crypto, SymbolToStringTag, {
  __proto__: null, value: "Crypto", configurable: true,
});
ReflectDefineProperty(guestConsole, SymbolToStringTag, {
  __proto__: null, value: "console", configurable: true,
});

const installed = {
  __proto__: null, console: guestConsole, performance, Event, EventTarget, AbortController,
  AbortSignal, DOMException, TextEncoder, TextDecoder, URL, URLSearchParams, crypto,
};
for (const group of [timerGlobals, cloneGlobals, base64Globals, apiErrors, installed])
  for (const name in group) defineData(globalObject, name, group[name], false);

// The engine would run Error.prepareStackTrace, and valueOf() of an object in
// Error.stackTraceLimit, whenever any native throws: guest code in the middle
// of ours. So the hook goes, and the limit takes numbers only.
const limit = ReflectGetOwnPropertyDescriptor(Error, "stackTraceLimit");
const getStackLimit = uncurry(limit.get);
const setStackLimit = uncurry(limit.set);
Reflect.deleteProperty(Error, "prepareStackTrace");
ReflectDefineProperty(Error, "stackTraceLimit", {
  __proto__: null,
  configurable: true,
  get: () => getStackLimit(Error),
  set: (value) => {
    if (typeof value === "number") setStackLimit(Error, value);
  },
});

// Freezes a value with all it holds by data properties. Buffers become
// immutable; the entries of a Map or Set cannot be frozen in this language.
const deepFreeze = (value) => {
  if (!isObject(value)) return value;
  const seen = new Set();
  const waiting = newList();
  waiting[0] = value;
  while (waiting.length > 0) {
    const object = waiting[waiting.length - 1];
    waiting.length--;
    if (classOf(object) === "Proxy" || SetHas(seen, object)) continue;
    SetAdd(seen, object);
    freezeOne(object, waiting);
  }
  return value;
};

const freezeOne = (object, waiting) => {
  if (isTypedArray(object)) {
    waiting[waiting.length] = TypedArrayBuffer(object);
    return; // elements cannot be frozen; their buffer can be immutable
  }
  setImmutable(classOf(object) === "DataView" ? DataViewBuffer(object) : object);
  ObjectFreeze(object);
  const keys = ReflectOwnKeys(object);
  for (let i = 0; i < keys.length; i++) {
    const held = ownData(object, keys[i]);
    if (isObject(held)) waiting[waiting.length] = held;
  }
};

return {
  __proto__: null, fireTimer, clearTimers, makeError, errorOperation, watchSignal, unwatchSignal,
  signalReason, deepFreeze, inspect, installFetch,
};
