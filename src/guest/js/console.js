// The console. Every line goes to the host with its level; the host decides
// where it ends up and how much of it there may be.

const GROUPS_SHOWN_MAX = 40; // deeper groups are not indented further

const consoleState = {
  __proto__: null, groups: 0, indent: "", counts: new Map(), times: new Map(),
};

const print = (level, text) => {
  const { indent } = consoleState;
  hostLog(level, indent === "" ? text : indent + indented(text, indent));
};

// ---- format strings ----

// A toString() written by the guest, found without running getters or traps.
const textByGuest = (object) => {
  const method = dataProperty(object, "toString");
  if (typeof method !== "function" || classId(method) !== BYTECODE_FUNCTION) return undefined;
  try {
    const text = ReflectApply(method, object, []);
    return typeof text === "string" ? text : undefined;
  } catch {
    return undefined;
  }
};

const plainText = (state, value) => {
  if (typeof value === "string") return value;
  if (!isObject(value)) return primitiveText(state, value);
  const text = typeof value === "object" ? textByGuest(value) : undefined;
  return text === undefined ? inspectAt(state, value, 0) : text;
};

const inspectAt = (state, value, depth) => {
  const before = state.depth;
  state.depth = depth;
  const text = inspectIn(state, value);
  state.depth = before;
  return text;
};

// JSON means toJSON() and getters, so this one runs guest code, as everywhere.
const jsonText = (value) => {
  try {
    return `${JSONStringify(value)}`;
  } catch {
    return "[Circular]";
  }
};

const numberOf = (value, convert) => {
  if (typeof value === "bigint") return `${value}n`;
  return isObject(value) || typeof value === "symbol" ? "NaN" : numberText(convert(value));
};

// Text for one directive, undefined when the letter means nothing.
const directive = (state, letter, value) => {
  switch (letter) {
    case "s":
      return plainText(state, value);
    case "d":
      return numberOf(value, Number);
    case "i":
      return numberOf(value, NumberParseInt);
    case "f":
      return numberOf(value, NumberParseFloat);
    case "j":
      return jsonText(value);
    case "o":
      return inspectAt(state, value, 4);
    case "O":
      return inspectIn(state, value);
    case "c":
      return "";
    default:
      return undefined;
  }
};

// Fills the directives of args[0]; `used.count` says how many arguments went.
const fillTemplate = (state, args, used) => {
  const template = args[0];
  let text = "";
  let from = 0;
  let at = StringIndexOf(template, "%");
  while (at >= 0 && at + 1 < template.length) {
    const letter = template[at + 1];
    const filled = letter === "%" ? "%"
      : used.count < args.length ? directive(state, letter, args[used.count]) : undefined;
    if (filled !== undefined) {
      if (letter !== "%") used.count++;
      text += StringSlice(template, from, at) + filled;
      from = at + 2;
    }
    at = StringIndexOf(template, "%", filled === undefined ? at + 1 : from);
  }
  return text + StringSlice(template, from);
};

// `args` is an array of the engine's own making (a rest parameter).
const formatLog = (args) => {
  if (args.length === 0) return "";
  const state = newInspection(INSPECT_DEPTH);
  const used = { __proto__: null, count: 0 };
  let text = "";
  if (typeof args[0] === "string") {
    used.count = 1;
    text = args.length === 1 ? args[0] : fillTemplate(state, args, used);
  }
  for (let i = used.count; i < args.length; i++) {
    const value = args[i];
    const part = typeof value === "string" ? value : inspectIn(state, value);
    text += i === 0 ? part : ` ${part}`;
  }
  return text;
};

// ---- labels ----

const labelText = (label) => {
  if (label === undefined) return "default";
  return typeof label === "string" ? label : inspect(label);
};

const setIndent = (groups) => {
  consoleState.groups = groups;
  consoleState.indent = StringRepeat("  ", MathMin(groups, GROUPS_SHOWN_MAX));
};

const durationText = (ms) =>
  ms >= 1000 ? `${NumberToFixed(ms / 1000, 3)}s` : `${NumberToFixed(ms, 3)}ms`;

// "label: 1.234ms" for a running timer; a warning and undefined for none.
const elapsedText = (label, method) => {
  const start = MapGet(consoleState.times, label);
  if (start !== undefined) return `${label}: ${durationText(hostNow() - start)}`;
  print(LOG_WARN, `No such label ${quote(label, 100)} for console.${method}()`);
  return undefined;
};

const traceFrames = () => {
  const frames = errorFrames(errorText(ErrorStack(new Error()), ""));
  return frames === "" ? "" : `\n${frames}`;
};

const dirDepth = (options) => {
  const depth = isObject(options) ? ownData(options, "depth") : undefined;
  if (depth === null) return INSPECT_DEPTH_MAX;
  return typeof depth === "number" ? depth : INSPECT_DEPTH;
};

const guestConsole = {
  debug(...args) {
    print(LOG_DEBUG, formatLog(args));
  },
  log(...args) {
    print(LOG_INFO, formatLog(args));
  },
  info(...args) {
    print(LOG_INFO, formatLog(args));
  },
  warn(...args) {
    print(LOG_WARN, formatLog(args));
  },
  error(...args) {
    print(LOG_ERROR, formatLog(args));
  },
  trace(...args) {
    const text = formatLog(args);
    print(LOG_INFO, `Trace${text === "" ? "" : `: ${text}`}${traceFrames()}`);
  },
  assert(condition = false, ...args) {
    if (condition) return;
    if (typeof args[0] === "string") args[0] = `Assertion failed: ${args[0]}`;
    print(LOG_ERROR, args.length === 0 ? "Assertion failed"
      : typeof args[0] === "string" ? formatLog(args) : `Assertion failed ${formatLog(args)}`);
  },
  dir(value = undefined, options = undefined) {
    print(LOG_INFO, inspect(value, dirDepth(options)));
  },
  table(data = undefined, columns = undefined) {
    const text = tableText(data, columns);
    print(LOG_INFO, text === null ? formatLog([data]) : text);
  },
  group(...args) {
    if (args.length > 0) print(LOG_INFO, formatLog(args));
    setIndent(consoleState.groups + 1);
  },
  groupCollapsed(...args) {
    if (args.length > 0) print(LOG_INFO, formatLog(args));
    setIndent(consoleState.groups + 1);
  },
  groupEnd() {
    if (consoleState.groups > 0) setIndent(consoleState.groups - 1);
  },
  count(label = undefined) {
    const name = labelText(label);
    const count = (MapGet(consoleState.counts, name) || 0) + 1;
    MapSet(consoleState.counts, name, count);
    print(LOG_INFO, `${name}: ${count}`);
  },
  countReset(label = undefined) {
    const name = labelText(label);
    if (!MapDelete(consoleState.counts, name))
      print(LOG_WARN, `Count for ${quote(name, 100)} does not exist`);
  },
  time(label = undefined) {
    const name = labelText(label);
    if (MapHas(consoleState.times, name))
      print(LOG_WARN, `Label ${quote(name, 100)} already exists for console.time()`);
    else MapSet(consoleState.times, name, hostNow());
  },
  timeEnd(label = undefined) {
    const name = labelText(label);
    const text = elapsedText(name, "timeEnd");
    MapDelete(consoleState.times, name);
    if (text !== undefined) print(LOG_INFO, text);
  },
  timeLog(label = undefined, ...args) {
    const text = elapsedText(labelText(label), "timeLog");
    if (text === undefined) return;
    print(LOG_INFO, args.length === 0 ? text : `${text} ${formatLog(args)}`);
  },
};
