// Text of any value for people, as console.log shows it.
//
// Runs no guest code: properties are read from their descriptors (a getter is
// only named), proxies are looked through to their target, and what the engine
// keeps inside is asked by captured functions. Depth, items, objects and text
// are bounded, so one line of log costs a bounded amount however large or
// hostile the value is.

const INSPECT_DEPTH = 2;
const INSPECT_DEPTH_MAX = 20; // each level nests several calls on a small stack
const INSPECT_TEXT_MAX = 65536;
const INSPECT_STRING_MAX = 10000;
const INSPECT_OBJECTS_MAX = 5000;
const INSPECT_ITEMS_MAX = 100;
const INSPECT_KEYS_MAX = 2000;
const INSPECT_NAMED_KEYS_AFTER = 20000; // longer arrays show elements only
const PROTOTYPES_MAX = 100;
const LINE_WIDTH = 80;
const COMPACT_LEVELS = 3; // more of them than this inside each other are spread over lines
const COLUMNS_MAX = 12;

const newInspection = (depth) => ({
  __proto__: null,
  depth: depth >= 0 ? MathMin(MathTrunc(depth), INSPECT_DEPTH_MAX) : INSPECT_DEPTH,
  textLeft: INSPECT_TEXT_MAX,
  objectsLeft: INSPECT_OBJECTS_MAX,
  indent: 0,
  deepest: 0, // level of the object entered last
  open: newList(), // objects being shown, outermost first
  referred: newList(), // those of them that contain themselves
});

const take = (state, text) => {
  state.textLeft -= text.length + 2;
  return text;
};

// ---- looking at objects without running guest code ----

const prototypeOf = (object) =>
  classOf(object) === "Proxy" ? null : ReflectGetPrototypeOf(object);

// The value of a data property, own or inherited; undefined for accessors.
const dataProperty = (object, key) => {
  let at = object;
  for (let i = 0; at !== null && i < PROTOTYPES_MAX && classOf(at) !== "Proxy"; i++) {
    const descriptor = ownDescriptor(at, key);
    if (descriptor !== undefined) return descriptor.value;
    at = ReflectGetPrototypeOf(at);
  }
  return undefined;
};

const ownData = (object, key) => {
  const descriptor = classOf(object) === "Proxy" ? undefined : ownDescriptor(object, key);
  return descriptor === undefined ? undefined : descriptor.value;
};

const functionName = (fn) => {
  const name = ownData(fn, "name");
  return typeof name === "string" ? name : "";
};

// Name of the nearest constructor; null for an object that inherits nothing.
const constructorName = (object, kind) => {
  let at = object;
  for (let i = 0; at !== null && i < PROTOTYPES_MAX && classOf(at) !== "Proxy"; i++) {
    const maker = ownData(at, "constructor");
    const name = typeof maker === "function" ? functionName(maker) : "";
    if (name !== "" && name.length < 200) return name;
    at = ReflectGetPrototypeOf(at);
  }
  return prototypeOf(object) === null && classOf(object) !== "Proxy" ? null : kind;
};

const tagOf = (object, name) => {
  const own = ownDescriptor(object, SymbolToStringTag);
  if (own !== undefined && own.enumerable) return ""; // shown as a property
  const tag = dataProperty(object, SymbolToStringTag);
  return typeof tag === "string" && tag !== "" && tag !== name && tag.length < 200 ? tag : "";
};

const prefixOf = (name, tag, kind, size) => {
  const tagText = tag === "" ? "" : `[${tag}] `;
  const nameText = name === null ? `[${kind}${size}: null prototype]` : `${name}${size}`;
  return `${nameText} ${tagText}`;
};

const isIndexKey = (key) =>
  typeof key === "string" && `${key >>> 0}` === key && key !== "4294967295";

// Own keys come with the indices first, so the named ones start at one place.
const firstNamedKey = (keys) => {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isIndexKey(keys[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
};

// Enumerable own keys (`length` is that of an indexed object, else -1).
const shownKeys = (object, length) => {
  const shown = newList();
  if (length > INSPECT_NAMED_KEYS_AFTER) return shown;
  const keys = ReflectOwnKeys(object);
  for (let i = length < 0 ? 0 : firstNamedKey(keys); i < keys.length; i++) {
    if (shown.length >= INSPECT_KEYS_MAX) break;
    const descriptor = ownDescriptor(object, keys[i]);
    if (descriptor !== undefined && descriptor.enumerable) shown[shown.length] = keys[i];
  }
  return shown;
};

// ---- primitives and properties ----

const symbolText = (symbol) => {
  const description = SymbolDescription(symbol);
  return description === undefined ? "Symbol()" : `Symbol(${description})`;
};

const stringText = (state, text) => {
  const max = MathMin(INSPECT_STRING_MAX, MathMax(state.textLeft, 16));
  if (text.length <= max) return quote(text, max);
  const more = text.length - max;
  return `${quote(StringSlice(text, 0, max), max)}... ${more} more character${more > 1 ? "s" : ""}`;
};

const numberText = (number) => (ObjectIs(number, -0) ? "-0" : `${number}`);

const primitiveText = (state, value) => {
  switch (typeof value) {
    case "string":
      return stringText(state, value);
    case "number":
      return numberText(value);
    case "bigint":
      return `${value}n`;
    case "symbol":
      return symbolText(value);
    default:
      return `${value}`;
  }
};

const keyText = (key, enumerable) => {
  if (typeof key === "symbol") return `[${symbolText(key)}]`;
  const text = quoteKey(key.length > 1000 ? `${StringSlice(key, 0, 1000)}...` : key);
  return enumerable ? text : `[${key}]`;
};

const accessorText = (descriptor) => {
  if (descriptor.get === undefined) return descriptor.set === undefined ? "undefined" : "[Setter]";
  return descriptor.set === undefined ? "[Getter]" : "[Getter/Setter]";
};

const formatInner = (state, value, level) => {
  state.indent += 2;
  const text = formatValue(state, value, level);
  state.indent -= 2;
  return text;
};

const formatProperty = (state, object, key, level) => {
  const descriptor = ownDescriptor(object, key);
  if (descriptor === undefined) return "";
  const name = take(state, keyText(key, descriptor.enumerable));
  if (!ObjectHasOwn(descriptor, "value")) return `${name}: ${accessorText(descriptor)}`;
  return `${name}: ${formatInner(state, descriptor.value, level)}`;
};

// ---- laying out ----

const hasLineBreak = (list) => {
  for (let i = 0; i < list.length; i++) if (StringIncludes(list[i], "\n")) return true;
  return false;
};

const totalLength = (list) => {
  let total = 0;
  for (let i = 0; i < list.length; i++) total += list[i].length;
  return total;
};

const isNumberText = (text) => {
  const code = StringCharCodeAt(text, 0);
  return code === 45 || (code >= 48 && code <= 57);
};

const areNumbers = (output, count) => {
  for (let i = 0; i < count; i++) if (!isNumberText(output[i])) return false;
  return true;
};

// How many columns make a block about two and a half times as wide as high;
// 0 when the items are few, long or very unequal.
const columnCount = (state, output, count) => {
  let widest = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    widest = MathMax(widest, output[i].length);
    total += output[i].length + 2;
  }
  const cell = widest + 2;
  const even = total / cell > 5 || widest <= 6;
  if (count <= 6 || !even || cell * 3 + state.indent >= LINE_WIDTH) return 0;
  const usual = MathMax(widest - MathSqrt(cell - total / count), 1);
  return MathMin(MathRound(MathSqrt(2.5 * usual * count) / usual),
                 MathTrunc((LINE_WIDTH - state.indent) / cell), COLUMNS_MAX);
};

const columnWidths = (output, count, columns) => {
  const widths = newList();
  for (let i = 0; i < count; i++) {
    const column = i % columns;
    widths[column] = MathMax(i < columns ? 0 : widths[column], output[i].length);
  }
  return widths;
};

// Long arrays of short items go into columns, numbers to the right. `count`
// leaves out a closing line such as "... 7 more items".
const columnsOf = (state, output, count) => {
  const columns = hasLineBreak(output) ? 0 : columnCount(state, output, count);
  if (columns < 2) return output;
  const widths = columnWidths(output, count, columns);
  const right = areNumbers(output, count);
  const rows = newList();
  for (let from = 0; from < count; from += columns) {
    const end = MathMin(from + columns, count);
    let row = "";
    for (let i = from; i < end; i++) {
      const last = i + 1 === end;
      const text = last ? output[i] : `${output[i]}, `;
      const width = widths[i - from] + (last ? 0 : 2);
      row += right ? StringPadStart(text, width) : last ? text : StringPadEnd(text, width);
    }
    rows[rows.length] = row;
  }
  for (let i = count; i < output.length; i++) rows[rows.length] = output[i];
  return rows;
};

const layOut = (state, shape, output, level) => {
  const base = shape.base === "" ? "" : `${shape.base} `;
  const rows = shape.columns > 0
    ? columnsOf(state, output, MathMin(shape.columns, output.length)) : output;
  const start = rows.length + state.indent + shape.open.length + base.length + 10;
  const whole = rows === output && state.deepest - level < COMPACT_LEVELS;
  if (whole && totalLength(rows) + start + rows.length <= LINE_WIDTH && !hasLineBreak(rows))
    return `${base}${shape.open} ${join(rows, ", ")} ${shape.close}`;
  const line = `\n${StringRepeat(" ", state.indent)}`;
  return `${base}${shape.open}${line}  ${join(rows, `,${line}  `)}${line}${shape.close}`;
};

// ---- objects ----

const indexIn = (list, item) => {
  for (let i = 0; i < list.length; i++) if (list[i] === item) return i;
  return -1;
};

const circularText = (state, object) => {
  let index = indexIn(state.referred, object);
  if (index < 0) {
    index = state.referred.length;
    state.referred[index] = object;
  }
  return take(state, `[Circular *${index + 1}]`);
};

const fillOutput = (state, object, shape, level) => {
  const output = newList();
  if (shape.items !== null) shape.items(state, object, output, level + 1);
  for (let i = 0; i < shape.keys.length; i++) {
    if (state.textLeft <= 0) {
      output[output.length] = `... ${shape.keys.length - i} more properties`;
      break;
    }
    output[output.length] = formatProperty(state, object, shape.keys[i], level + 1);
  }
  return output;
};

const formatObject = (state, object, level) => {
  const shape = shapeOf(state, object);
  if (shape.items === null && shape.keys.length === 0)
    return take(state, shape.base === "" ? `${shape.open}${shape.close}` : shape.base);
  if (level > state.depth) return take(state, `[${shape.label}]`);
  take(state, shape.base + shape.open);
  state.deepest = level;
  state.open[state.open.length] = object;
  const output = fillOutput(state, object, shape, level);
  state.open.length--;
  const index = indexIn(state.referred, object);
  if (index >= 0) {
    const part = shape.base === "" ? "open" : "base";
    shape[part] = `<ref *${index + 1}> ${shape[part]}`;
  }
  return layOut(state, shape, output, level);
};

function formatValue(state, value, level) {
  if (!isObject(value)) return take(state, primitiveText(state, value));
  if (state.textLeft <= 0 || state.objectsLeft-- <= 0) return "...";
  let object = value;
  for (let i = 0; classOf(object) === "Proxy"; i++) {
    object = i < PROTOTYPES_MAX ? proxyTarget(object) : null;
    if (object === null) return take(state, "<Revoked Proxy>");
  }
  if (indexIn(state.open, object) >= 0) return circularText(state, object);
  return formatObject(state, object, level);
}

const bounded = (text) =>
  text.length <= INSPECT_TEXT_MAX ? text : `${StringSlice(text, 0, INSPECT_TEXT_MAX)}... truncated`;

// Several values may share one inspection, and with it one budget.
const inspectIn = (state, value) => {
  try {
    return bounded(formatValue(state, value, 0));
  } catch {
    state.open.length = 0;
    state.indent = 0;
    return isObject(value) ? `[${classOf(value)}]` : "[value]"; // out of stack or memory
  }
};

const inspect = (value, depth = INSPECT_DEPTH) => inspectIn(newInspection(depth), value);
