// structuredClone.
//
// Works with a stack of its own, so depth costs heap and not the small machine
// stack. Transferred buffers are detached only when everything else has been
// cloned: until then whatever needs one is a pending record, and the places it
// belongs are filled afterwards.

const pendingBrand = newBrand();

const typedArrays = { __proto__: null };
for (const name of [
  "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array",
  "Uint32Array", "BigInt64Array", "BigUint64Array", "Float16Array", "Float32Array",
  "Float64Array",
]) {
  if (globalThis[name]) typedArrays[name] = globalThis[name];
}

const cloneError = (text) => new DOMException(text, "DataCloneError");

const refuse = (value) => {
  throw cloneError(`${inspect(value, 0)} could not be cloned`);
};

const newPending = (make) => {
  const place = ObjectCreate(null);
  pendingBrand.stamp(place, { __proto__: null, make, result: undefined });
  return place;
};

const remember = (state, source, clone) => {
  MapSet(state.seen, source, clone);
  return clone;
};

const pushFrame = (state, source, target, keys, all) => {
  state.frames[state.frames.length] = { __proto__: null, source, target, keys, all, index: 0 };
};

// ---- one value: its clone at once, its content later by a frame ----

const cloneBuffer = (buffer) => {
  if (ArrayBufferDetached(buffer)) throw cloneError("A detached ArrayBuffer could not be cloned");
  const length = ArrayBufferByteLength(buffer);
  const copy = ArrayBufferResizable(buffer)
    ? new ArrayBuffer(length, { __proto__: null, maxByteLength: ArrayBufferMaxByteLength(buffer) })
    : new ArrayBuffer(length);
  TypedArraySet(new Uint8Array(copy), new Uint8Array(buffer));
  return copy;
};

// `offset` and `length` as they are now; the new buffer may come later.
const cloneView = (state, Constructor, buffer, offset, length) => {
  const copy = cloneValue(state, buffer);
  if (pendingBrand.read(copy) === undefined) return new Constructor(copy, offset, length);
  return newPending(() => new Constructor(settle(copy), offset, length));
};

const cloneTyped = (state, array) => {
  const length = TypedArrayLength(array);
  const buffer = TypedArrayBuffer(array);
  if (length === 0 && ArrayBufferDetached(buffer)) refuse(array);
  return cloneView(state, typedArrays[TypedArrayTag(array)], buffer, TypedArrayByteOffset(array),
                   length);
};

const cloneDataView = (state, view) => {
  const buffer = DataViewBuffer(view);
  if (ArrayBufferDetached(buffer)) refuse(view);
  return cloneView(state, DataView, buffer, DataViewByteOffset(view), DataViewByteLength(view));
};

// By the standard only the name, message, stack and cause survive.
const cloneErrorObject = (state, error) => {
  const { name } = error;
  const Constructor = (typeof name === "string" && standardErrors[name]) || Error;
  const clone = ReflectConstruct(Error, [], Constructor);
  const message = ownDescriptor(error, "message");
  if (message !== undefined) defineData(clone, "message", `${message.value}`, false);
  const own = ownDescriptor(error, "stack");
  const stack = own === undefined ? ErrorStack(error) : own.value;
  defineData(clone, "stack", typeof stack === "string" ? stack : "", false);
  if (ownDescriptor(error, "cause") !== undefined) {
    const keys = newList();
    keys[0] = "cause";
    pushFrame(state, error, clone, keys, true);
  }
  return clone;
};

const cloneCollection = (state, collection, isMap) => {
  const clone = isMap ? new Map() : new Set();
  const values = newList();
  const entries = isMap ? MapEntries(collection) : SetValues(collection);
  for (;;) {
    const step = isMap ? MapIteratorNext(entries) : SetIteratorNext(entries);
    if (step.done) break;
    values[values.length] = isMap ? step.value[0] : step.value;
    if (isMap) values[values.length] = step.value[1];
  }
  const slots = newList();
  state.collections[state.collections.length] = { __proto__: null, clone, slots, isMap };
  pushFrame(state, values, slots, null, true);
  return clone;
};

const cloneProperties = (state, object, clone) => {
  pushFrame(state, object, clone, ReflectOwnKeys(object), false);
  return clone;
};

const makeClone = (state, value, kind) => {
  switch (kind) {
    case "Object":
      return isPlatformObject(value) ? refuse(value) : cloneProperties(state, value, {});
    case "Arguments":
      return cloneProperties(state, value, {});
    case "Array":
      return cloneProperties(state, value, []);
    case "Map":
      return cloneCollection(state, value, true);
    case "Set":
      return cloneCollection(state, value, false);
    case "Date":
      return new Date(DateGetTime(value));
    case "RegExp":
      return new RegExp(RegExpSource(value), RegExpFlags(value));
    case "Error":
      return cloneErrorObject(state, value);
    case "DOMException":
      return new DOMException(DOMExceptionMessage(value), DOMExceptionName(value));
    case "ArrayBuffer":
      return cloneBuffer(value);
    case "DataView":
      return cloneDataView(state, value);
    case "Symbol":
      return refuse(value);
    default:
      if (boxedValue[kind] !== undefined) return Object(boxedValue[kind](value));
      return isTypedArray(value) ? cloneTyped(state, value) : refuse(value);
  }
};

function cloneValue(state, value) {
  if (typeof value === "symbol" || typeof value === "function") refuse(value);
  if (!isObject(value)) return value;
  const known = MapGet(state.seen, value);
  if (known !== undefined) return known;
  return remember(state, value, makeClone(state, value, classOf(value)));
}

// ---- content ----

const put = (state, target, key, clone, enumerable) => {
  if (pendingBrand.read(clone) === undefined) {
    defineData(target, key, clone, enumerable);
    return;
  }
  defineData(target, key, undefined, enumerable); // keeps the order of keys
  state.fixes[state.fixes.length] = { __proto__: null, target, key, clone, enumerable };
};

const cloneProperty = (state, frame, key) => {
  if (typeof key === "symbol") return;
  const descriptor = ownDescriptor(frame.source, key);
  if (descriptor === undefined || !(descriptor.enumerable || frame.all)) return;
  const value = ObjectHasOwn(descriptor, "value") ? descriptor.value : frame.source[key];
  put(state, frame.target, key, cloneValue(state, value), !frame.all);
};

const endFrame = (frame) => {
  if (frame.keys !== null && classOf(frame.source) === "Array") {
    const length = ownData(frame.source, "length");
    if (frame.target.length < length) frame.target.length = length;
  }
};

const runFrames = (state) => {
  const { frames } = state;
  while (frames.length > 0) {
    const frame = frames[frames.length - 1];
    const count = frame.keys === null ? frame.source.length : frame.keys.length;
    if (frame.index >= count) {
      endFrame(frame);
      frames.length--;
      continue;
    }
    const index = frame.index++;
    if (frame.keys === null) frame.target[index] = cloneValue(state, frame.source[index]);
    else cloneProperty(state, frame, frame.keys[index]);
  }
};

// ---- transfer ----

function settle(clone) {
  const pending = pendingBrand.read(clone);
  if (pending === undefined) return clone;
  if (pending.result === undefined) pending.result = pending.make();
  return pending.result;
}

const checkTransferable = (buffer) => {
  if (classOf(buffer) !== "ArrayBuffer")
    throw cloneError(`${inspect(buffer, 0)} could not be transferred`);
  if (ArrayBufferDetached(buffer))
    throw cloneError("A detached ArrayBuffer could not be transferred");
};

const announceTransfers = (state, transfers) => {
  for (let i = 0; i < transfers.length; i++) {
    const buffer = transfers[i];
    checkTransferable(buffer);
    if (MapHas(state.seen, buffer)) throw cloneError("A buffer is twice in the transfer list");
    MapSet(state.seen, buffer, newPending(() => ArrayBufferTransfer(buffer)));
  }
};

// Getters may have detached one meanwhile: look at all before touching any.
const transferAll = (state, transfers) => {
  for (let i = 0; i < transfers.length; i++) checkTransferable(transfers[i]);
  for (let i = 0; i < transfers.length; i++) settle(MapGet(state.seen, transfers[i]));
};

const fillPlaces = (state) => {
  for (let i = 0; i < state.fixes.length; i++) {
    const { target, key, clone, enumerable } = state.fixes[i];
    defineData(target, key, settle(clone), enumerable);
  }
  for (let i = 0; i < state.collections.length; i++) {
    const { clone, slots, isMap } = state.collections[i];
    for (let j = 0; j < slots.length; j += isMap ? 2 : 1) {
      if (isMap) MapSet(clone, settle(slots[j]), settle(slots[j + 1]));
      else SetAdd(clone, settle(slots[j]));
    }
  }
};

const cloneGlobals = {
  __proto__: null,
  structuredClone(value, options = undefined) {
    needArguments(arguments.length, 1, "structuredClone");
    const { transfer } = optionsFrom(options, "options");
    const transfers = transfer === undefined ? newList() : listFrom(transfer, "transfer");
    const state = {
      __proto__: null, seen: new Map(), frames: newList(), fixes: newList(),
      collections: newList(),
    };
    announceTransfers(state, transfers);
    const clone = cloneValue(state, value);
    runFrames(state);
    transferAll(state, transfers);
    fillPlaces(state);
    return settle(clone);
  },
};
