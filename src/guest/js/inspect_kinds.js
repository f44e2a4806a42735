// What each kind of object looks like: the text in front of its braces, what
// stands inside them before the properties, and which properties are shown.

const BYTECODE_FUNCTION = classId(() => {});

const newShape = (label, open, close, items, keys) => ({
  __proto__: null, label, base: "", open, close, items, keys, columns: 0,
});

const moreItems = (count) => `... ${count} more item${count > 1 ? "s" : ""}`;

const roomFor = (state, index) => index < INSPECT_ITEMS_MAX && state.textLeft > 0;

// ---- arrays ----

const nextIndex = (keys, after) => {
  let low = 0;
  let high = firstNamedKey(keys);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle] >>> 0 <= after) low = middle + 1;
    else high = middle;
  }
  return low < keys.length && isIndexKey(keys[low]) ? keys[low] >>> 0 : -1;
};

const arrayItems = (state, array, output, level) => {
  const length = ownData(array, "length") >>> 0;
  let keys = null;
  let index = 0;
  while (index < length && roomFor(state, output.length)) {
    const descriptor = ownDescriptor(array, `${index}`);
    if (descriptor !== undefined) {
      output[output.length] = ObjectHasOwn(descriptor, "value")
        ? formatInner(state, descriptor.value, level)
        : accessorText(descriptor);
      index++;
      continue;
    }
    keys = keys === null ? ReflectOwnKeys(array) : keys;
    const next = nextIndex(keys, index);
    const holes = (next < 0 ? length : next) - index;
    output[output.length] = take(state, `<${holes} empty item${holes > 1 ? "s" : ""}>`);
    index += holes;
  }
  if (index < length) output[output.length] = moreItems(length - index);
};

const elementItems = (state, array, output) => {
  const length = TypedArrayLength(array);
  let index = 0;
  for (; index < length && roomFor(state, index); index++)
    output[index] = take(state, primitiveText(state, array[index]));
  if (index < length) output[index] = moreItems(length - index);
};

const arrayShape = (object, kind, name) => {
  const typed = kind !== "Array" && kind !== "Arguments";
  const length = typed ? TypedArrayLength(object) : ownData(object, "length") >>> 0;
  const plain = name === "Array" || (kind === "Arguments" && name === "Object");
  const prefix = plain ? "" : prefixOf(name, "", kind, `(${length})`);
  const open = kind === "Arguments" ? "[Arguments] [" : `${prefix}[`;
  const items = typed ? elementItems : arrayItems;
  const shape = newShape(name === null ? kind : name, open, "]", length > 0 ? items : null,
                         shownKeys(object, length));
  if (length > 6 && shape.keys.length === 0) shape.columns = MathMin(length, INSPECT_ITEMS_MAX);
  return shape;
};

// ---- Map, Set, buffers, promises ----

const mapItems = (state, map, output, level) => {
  const entries = MapEntries(map);
  for (let i = 0; ; i++) {
    const step = MapIteratorNext(entries);
    if (step.done) return;
    if (!roomFor(state, i)) {
      output[i] = moreItems(MapSize(map) - i);
      return;
    }
    const key = formatInner(state, step.value[0], level);
    output[i] = `${key} => ${formatInner(state, step.value[1], level)}`;
  }
};

const setItems = (state, set, output, level) => {
  const values = SetValues(set);
  for (let i = 0; ; i++) {
    const step = SetIteratorNext(values);
    if (step.done) return;
    if (!roomFor(state, i)) {
      output[i] = moreItems(SetSize(set) - i);
      return;
    }
    output[i] = formatInner(state, step.value, level);
  }
};

const HEX = "0123456789abcdef";
const byteText = (byte) => HEX[byte >> 4] + HEX[byte & 15];

const bufferItems = (state, buffer, output) => {
  const length = ArrayBufferByteLength(buffer);
  if (ArrayBufferDetached(buffer)) {
    output[0] = "(detached)";
  } else {
    const bytes = new Uint8Array(buffer, 0, MathMin(length, 50));
    let text = "";
    for (let i = 0; i < MathMin(length, 50); i++)
      text += `${i > 0 ? " " : ""}${byteText(bytes[i])}`;
    const more = length - 50;
    if (more > 0) text += ` ... ${more} more byte${more > 1 ? "s" : ""}`;
    output[0] = take(state, `[Uint8Contents]: <${text}>`);
  }
  output[1] = `byteLength: ${length}`;
};

const dataViewItems = (state, view, output, level) => {
  const buffer = DataViewBuffer(view);
  if (ArrayBufferDetached(buffer)) {
    output[0] = "(detached)";
    return;
  }
  output[0] = `byteLength: ${DataViewByteLength(view)}`;
  output[1] = `byteOffset: ${DataViewByteOffset(view)}`;
  output[2] = `buffer: ${formatInner(state, buffer, level)}`;
};

const promiseItems = (state, promise, output, level) => {
  const facts = promiseState(promise);
  if (facts[0] === 0) {
    output[0] = "<pending>";
    return;
  }
  const text = formatInner(state, facts[1], level);
  output[0] = facts[0] === 2 ? `<rejected> ${text}` : text;
};

const unknownItems = (state, object, output) => {
  output[0] = "<items unknown>";
};

const weakRefItems = (state, ref, output, level) => {
  const target = WeakRefDeref(ref);
  output[0] = target === undefined ? "<cleared>" : formatInner(state, target, level);
};

const itemKinds = {
  __proto__: null, Map: mapItems, Set: setItems, ArrayBuffer: bufferItems,
  SharedArrayBuffer: bufferItems, DataView: dataViewItems, Promise: promiseItems,
  WeakMap: unknownItems, WeakSet: unknownItems, WeakRef: weakRefItems,
};

// ---- objects of the web globals: their state lies behind getters ----

const platformItems = (state, object, output, level) => {
  const fields = platformFields(object);
  for (const name in fields)
    output[output.length] = `${name}: ${formatInner(state, fields[name], level)}`;
};

// ---- functions ----

const functionBase = (fn, kind) => {
  const name = functionName(fn);
  const parent = prototypeOf(fn);
  const prototype = classId(fn) === BYTECODE_FUNCTION ? ownDescriptor(fn, "prototype") : undefined;
  if (prototype !== undefined && prototype.writable === false) {
    const base = typeof parent === "function" ? functionName(parent) : "";
    const heritage = base === "" ? "" : ` extends ${base}`;
    return `[class ${name === "" ? "(anonymous)" : name}${heritage}]`;
  }
  const type = StringIncludes(kind, "Function") && kind !== "Function" ? kind : "Function";
  const label = StringStartsWith(type, "Promise") ? "Function" : type;
  return name === "" ? `[${label} (anonymous)]` : `[${label}: ${name}]`;
};

// ---- errors ----

const errorText = (value, otherwise) =>
  typeof value === "string" ? StringSlice(value, 0, INSPECT_STRING_MAX) : otherwise;

const errorHead = (error, kind, constructor) => {
  const own = kind === "DOMException";
  let name = errorText(own ? DOMExceptionName(error) : dataProperty(error, "name"), "Error");
  if (name === "Error" && constructor !== null) name = constructor;
  const message = errorText(own ? DOMExceptionMessage(error) : dataProperty(error, "message"), "");
  return message === "" ? name : `${name}: ${message}`;
};

// The frames, without those of this bundle.
const errorFrames = (stack) => {
  let frames = "";
  let from = 0;
  while (from < stack.length) {
    const found = StringIndexOf(stack, "\n", from);
    const end = found < 0 ? stack.length : found;
    const line = StringSlice(stack, from, end);
    if (!StringIncludes(line, "(vow:web") && StringTrim(line) !== "")
      frames += frames === "" ? line : `\n${line}`;
    from = end + 1;
  }
  return frames;
};

const stackOf = (error, kind) => {
  const own = ownDescriptor(error, "stack");
  const stack = own === undefined && kind === "Error" ? ErrorStack(error) : own && own.value;
  return errorFrames(errorText(stack, ""));
};

const indented = (text, prefix) => {
  let result = "";
  let from = 0;
  for (;;) {
    const end = StringIndexOf(text, "\n", from);
    if (end < 0) return result + StringSlice(text, from);
    result += `${StringSlice(text, from, end)}\n${prefix}`;
    from = end + 1;
  }
};

const errorBase = (state, error, kind, constructor) => {
  const head = errorHead(error, kind, constructor);
  const frames = stackOf(error, kind);
  if (frames === "") return `[${head}]`;
  const text = StringStartsWith(frames, head) ? frames : `${head}\n${frames}`;
  return state.indent === 0 ? text : indented(text, StringRepeat(" ", state.indent));
};

const hiddenErrorKeys = { __proto__: null, cause: 1, errors: 1, code: 1, operation: 1 };

const errorKeys = (error) => {
  const keys = shownKeys(error, -1);
  removeFrom(keys, "name"); // these three are in the text already
  removeFrom(keys, "message");
  removeFrom(keys, "stack");
  for (const key in hiddenErrorKeys) {
    const descriptor = ownDescriptor(error, key);
    if (descriptor !== undefined && !descriptor.enumerable && descriptor.value !== undefined)
      keys[keys.length] = key;
  }
  return keys;
};

// ---- the rest ----

const dateText = (date) => {
  const time = DateGetTime(date);
  return time === time ? DateToISOString(date) : "Invalid Date";
};

const boxedValue = {
  __proto__: null, Number: NumberValueOf, String: StringValueOf, Boolean: BooleanValueOf,
  Symbol: SymbolValueOf, BigInt: BigIntValueOf,
};

const isErrorKind = (kind) => kind === "Error" || kind === "DOMException";

const baseOf = (state, object, kind, name) => {
  if (typeof object === "function") return functionBase(object, kind);
  if (isErrorKind(kind)) return errorBase(state, object, kind, name);
  if (kind === "Date") return dateText(object);
  if (kind === "RegExp") return `/${RegExpSource(object)}/${RegExpFlags(object)}`;
  const unbox = boxedValue[kind];
  return unbox === undefined ? "" : `[${kind}: ${primitiveText(state, unbox(object))}]`;
};

const isTypedArray = (object) => TypedArrayTag(object) !== undefined;

function shapeOf(state, object) {
  const kind = classOf(object);
  const name = constructorName(object, kind);
  if (kind === "Array" || kind === "Arguments" || isTypedArray(object))
    return arrayShape(object, kind, name);
  const base = baseOf(state, object, kind, name);
  const label = name === null ? `${kind}: null prototype` : name;
  if (base !== "") {
    const length = kind === "String" ? StringValueOf(object).length : -1;
    const keys = isErrorKind(kind) ? errorKeys(object) : shownKeys(object, length);
    const shape = newShape(label, "{", "}", null, keys);
    shape.base = base;
    return shape;
  }
  const sizeOf = kind === "Map" ? MapSize : kind === "Set" ? SetSize : null;
  const size = sizeOf === null ? "" : `(${sizeOf(object)})`;
  const tag = tagOf(object, name);
  const plain = kind === "Object" && name === "Object" && tag === "";
  const open = `${plain ? "" : prefixOf(name, tag, kind, size)}{`;
  const platform = kind === "Object" && platformFields(object) !== undefined;
  let items = platform ? platformItems : itemKinds[kind];
  if (items === undefined || size === "(0)") items = null;
  return newShape(label, open, "}", items, shownKeys(object, -1));
}
