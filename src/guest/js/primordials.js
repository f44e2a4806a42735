// Everything the other files use from the realm, taken while it is still clean.
//
// Guest code runs later in this same realm and may replace or poison any of it.
// So no function of this bundle that runs later names a global that is not
// declared here, calls a method on a value (`list.push(x)`), iterates (`for-of`,
// spread, array patterns), assigns to an index of an ordinary array or reads a
// property that may be missing from an object with a prototype. Records are
// null-prototype objects, lists are arrays without a prototype (newList).

const {
  ArrayBuffer, BigInt, DataView, Date, DOMException, Error, JSON, Map, Math, Number, Object,
  Promise, RangeError, Reflect, RegExp, Set, String, Symbol, TypeError, Uint8Array,
} = globalThis;
const WeakRef = globalThis.WeakRef;
const globalObject = globalThis;

const ReflectApply = Reflect.apply;
const ReflectConstruct = Reflect.construct;
const ReflectDefineProperty = Reflect.defineProperty;
const ReflectGetOwnPropertyDescriptor = Reflect.getOwnPropertyDescriptor;
const ReflectGetPrototypeOf = Reflect.getPrototypeOf;
const ReflectOwnKeys = Reflect.ownKeys;
const ReflectSetPrototypeOf = Reflect.setPrototypeOf;
const ObjectCreate = Object.create;
const ObjectFreeze = Object.freeze;
const ObjectHasOwn = Object.hasOwn;
const ObjectIs = Object.is;
const MathMax = Math.max;
const MathMin = Math.min;
const MathTrunc = Math.trunc;
const MathRound = Math.round;
const MathSqrt = Math.sqrt;
const JSONStringify = JSON.stringify;
const NumberParseFloat = Number.parseFloat;
const NumberParseInt = Number.parseInt;
const SymbolIterator = Symbol.iterator;
const SymbolToStringTag = Symbol.toStringTag;

// method(self, ...args): a bound function, so calling it looks nothing up.
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const uncurryGetter = (proto, key) => uncurry(ReflectGetOwnPropertyDescriptor(proto, key).get);

const TypedArray = ReflectGetPrototypeOf(Uint8Array);
const TypedArrayPrototype = TypedArray.prototype;
const ErrorPrototype = Error.prototype;
const IteratorPrototype = ReflectGetPrototypeOf(ReflectGetPrototypeOf([][SymbolIterator]()));

const ArrayBufferByteLength = uncurryGetter(ArrayBuffer.prototype, "byteLength");
const ArrayBufferMaxByteLength = uncurryGetter(ArrayBuffer.prototype, "maxByteLength");
const ArrayBufferResizable = uncurryGetter(ArrayBuffer.prototype, "resizable");
const ArrayBufferDetached = uncurryGetter(ArrayBuffer.prototype, "detached");
const ArrayBufferTransfer = uncurry(ArrayBuffer.prototype.transfer);
const BigIntValueOf = uncurry(BigInt.prototype.valueOf);
const BooleanValueOf = uncurry(Boolean.prototype.valueOf);
const DataViewBuffer = uncurryGetter(DataView.prototype, "buffer");
const DataViewByteLength = uncurryGetter(DataView.prototype, "byteLength");
const DataViewByteOffset = uncurryGetter(DataView.prototype, "byteOffset");
const DateGetTime = uncurry(Date.prototype.getTime);
const DateNow = Date.now;
const DateToISOString = uncurry(Date.prototype.toISOString);
const DOMExceptionName = uncurryGetter(DOMException.prototype, "name");
const DOMExceptionMessage = uncurryGetter(DOMException.prototype, "message");
const ErrorStack = uncurryGetter(ErrorPrototype, "stack");
const MapEntries = uncurry(Map.prototype.entries);
const MapGet = uncurry(Map.prototype.get);
const MapSet = uncurry(Map.prototype.set);
const MapHas = uncurry(Map.prototype.has);
const MapDelete = uncurry(Map.prototype.delete);
const MapClear = uncurry(Map.prototype.clear);
const MapSize = uncurryGetter(Map.prototype, "size");
const MapIteratorNext = uncurry(ReflectGetPrototypeOf(new Map().entries()).next);
const NumberValueOf = uncurry(Number.prototype.valueOf);
const NumberToFixed = uncurry(Number.prototype.toFixed);
const RegExpSource = uncurryGetter(RegExp.prototype, "source");
const SetAdd = uncurry(Set.prototype.add);
const SetHas = uncurry(Set.prototype.has);
const SetSize = uncurryGetter(Set.prototype, "size");
const SetValues = uncurry(Set.prototype.values);
const SetIteratorNext = uncurry(ReflectGetPrototypeOf(new Set().values()).next);
const StringCharCodeAt = uncurry(String.prototype.charCodeAt);
const StringIncludes = uncurry(String.prototype.includes);
const StringIndexOf = uncurry(String.prototype.indexOf);
const StringPadEnd = uncurry(String.prototype.padEnd);
const StringPadStart = uncurry(String.prototype.padStart);
const StringRepeat = uncurry(String.prototype.repeat);
const StringSlice = uncurry(String.prototype.slice);
const StringStartsWith = uncurry(String.prototype.startsWith);
const StringToLowerCase = uncurry(String.prototype.toLowerCase);
const StringToWellFormed = uncurry(String.prototype.toWellFormed);
const StringTrim = uncurry(String.prototype.trim);
const StringValueOf = uncurry(String.prototype.valueOf);
const SymbolDescription = uncurryGetter(Symbol.prototype, "description");
const SymbolValueOf = uncurry(Symbol.prototype.valueOf);
const TypedArrayBuffer = uncurryGetter(TypedArrayPrototype, "buffer");
const TypedArrayByteLength = uncurryGetter(TypedArrayPrototype, "byteLength");
const TypedArrayByteOffset = uncurryGetter(TypedArrayPrototype, "byteOffset");
const TypedArrayLength = uncurryGetter(TypedArrayPrototype, "length");
const TypedArrayTag = uncurryGetter(TypedArrayPrototype, SymbolToStringTag);
const TypedArraySet = uncurry(TypedArrayPrototype.set);
const WeakRefDeref = WeakRef ? uncurry(WeakRef.prototype.deref) : null;

const {
  log: hostLog, timerStart, timerStop, now: hostNow, classOf, classId, proxyTarget,
  ownDescriptor, defineData, promiseState, quote, quoteKey, setImmutable, utf8Encode,
  utf8EncodeInto, decoderState, decode, urlParse, urlChange, urlOrigin, queryParse, queryPair,
  randomBytes, randomUuid,
} = vow;
const LOG_DEBUG = 0;
const LOG_INFO = 1;
const LOG_WARN = 2;
const LOG_ERROR = 3;

// `flags` asks for own properties only, so each is read by its own getter.
const regExpFlags = { __proto__: null };
for (const [name, letter] of [
  ["hasIndices", "d"], ["global", "g"], ["ignoreCase", "i"], ["multiline", "m"],
  ["dotAll", "s"], ["unicode", "u"], ["unicodeSets", "v"], ["sticky", "y"],
]) {
  regExpFlags[letter] = uncurryGetter(RegExp.prototype, name);
}

const RegExpFlags = (value) => {
  let flags = "";
  for (const letter in regExpFlags)
    if (regExpFlags[letter](value)) flags += letter;
  return flags;
};

const isObject = (value) =>
  (typeof value === "object" && value !== null) || typeof value === "function";

const newList = () => {
  const list = [];
  ReflectSetPrototypeOf(list, null);
  return list;
};

const join = (list, separator) => {
  let text = "";
  for (let i = 0; i < list.length; i++) text += i === 0 ? list[i] : separator + list[i];
  return text;
};

const removeFrom = (list, item) => {
  let kept = 0;
  for (let i = 0; i < list.length; i++)
    if (list[i] !== item) list[kept++] = list[i];
  list.length = kept;
};

// WebIDL sequence: an array by index, anything else by its iterator, as a list.
const listFrom = (iterable, name) => {
  const list = newList();
  if (classOf(iterable) === "Array") {
    for (let i = 0; i < iterable.length; i++) list[i] = iterable[i];
    return list;
  }
  const method = isObject(iterable) ? iterable[SymbolIterator] : undefined;
  if (typeof method !== "function") throw new TypeError(`${name} is not iterable`);
  const iterator = ReflectApply(method, iterable, []);
  const next = iterator.next;
  for (;;) {
    const step = ReflectApply(next, iterator, []);
    if (!isObject(step)) throw new TypeError(`${name} has a bad iterator`);
    if (step.done) return list;
    list[list.length] = step.value;
  }
};

// WebIDL dictionary argument: undefined stands for one without members.
const emptyOptions = ObjectFreeze({ __proto__: null });
const optionsFrom = (options, name) => {
  if (options === undefined || options === null) return emptyOptions;
  if (!isObject(options)) throw new TypeError(`${name} must be an object`);
  return options;
};

// Hidden data on an object: a private field stamped on through a constructor
// that returns its argument. Guest code can neither read, forge nor intercept
// it, and it does not pass through proxies. It also frees our classes from
// super(), which would call whatever prototype the guest gave the class.
class ReturnSame {
  constructor(object) {
    return object;
  }
}

const newBrand = () => {
  class Brand extends ReturnSame {
    #data;
    constructor(object, data) {
      super(object);
      this.#data = data;
    }
    static read(value) {
      return isObject(value) && #data in value ? value.#data : undefined;
    }
  }
  const read = Brand.read;
  return {
    __proto__: null,
    stamp: (object, data) => {
      new Brand(object, data);
      return data;
    },
    read,
    need: (value, name) => {
      const data = read(value);
      if (data === undefined) throw new TypeError(`Illegal invocation: not a ${name}`);
      return data;
    },
  };
};
