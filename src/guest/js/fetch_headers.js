// Headers, by the Fetch standard. Names and values are byte strings: text whose
// characters are bytes.

const headersBrand = newBrand();
const headersIteratorBrand = newBrand();
const ArraySort = uncurry(Array.prototype.sort);

const HEADERS_FREE = 0;
const HEADERS_REQUEST = 1; // what the host decides is left out
const HEADERS_IMMUTABLE = 2;

const tokenCharacters =
  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";

// Of a request: how its message is framed and its connection used is the host's.
const forbiddenHeaders = {
  __proto__: null, "accept-encoding": true, connection: true, "content-length": true, expect: true,
  host: true, "keep-alive": true, te: true, trailer: true, trailers: true,
  "transfer-encoding": true, upgrade: true, via: true,
};

const isForbiddenHeader = (name) =>
  forbiddenHeaders[name] === true || StringStartsWith(name, "proxy-");

const byteString = (value, what) => {
  const text = `${value}`;
  for (let i = 0; i < text.length; i++)
    if (StringCharCodeAt(text, i) > 255)
      throw new TypeError(`${what} ${quote(text, 60)} has a character beyond U+00FF`);
  return text;
};

const isToken = (text) => {
  for (let i = 0; i < text.length; i++)
    if (!StringIncludes(tokenCharacters, text[i])) return false;
  return text !== "";
};

const headerName = (value) => {
  const name = byteString(value, "header name");
  if (!isToken(name)) throw new TypeError(`${quote(name, 60)} is not a header name`);
  return StringToLowerCase(name);
};

const isHeaderBlank = (code) => code === 9 || code === 10 || code === 13 || code === 32;

const headerValue = (value) => {
  const text = byteString(value, "header value");
  let from = 0;
  let to = text.length;
  while (from < to && isHeaderBlank(StringCharCodeAt(text, from))) from++;
  while (to > from && isHeaderBlank(StringCharCodeAt(text, to - 1))) to--;
  const trimmed = StringSlice(text, from, to);
  for (let i = 0; i < trimmed.length; i++) {
    const code = StringCharCodeAt(trimmed, i);
    if (code === 0 || code === 10 || code === 13)
      throw new TypeError(`header value ${quote(trimmed, 60)} has a NUL or a line end in it`);
  }
  return trimmed;
};

// ---- the list ----

const addHeader = (state, name, value) => {
  state.list[state.list.length] = { __proto__: null, name, value };
};

const findHeader = (state, name) => {
  for (let i = 0; i < state.list.length; i++) if (state.list[i].name === name) return i;
  return -1;
};

const dropHeader = (state, name) => {
  let kept = 0;
  for (let i = 0; i < state.list.length; i++)
    if (state.list[i].name !== name) state.list[kept++] = state.list[i];
  state.list.length = kept;
};

const joinHeader = (state, name) => {
  const values = newList();
  for (let i = 0; i < state.list.length; i++)
    if (state.list[i].name === name) values[values.length] = state.list[i].value;
  return values.length === 0 ? null : join(values, ", ");
};

// Whether a change of that name happens at all.
const mayChange = (state, name) => {
  if (state.guard === HEADERS_IMMUTABLE) throw new TypeError("these headers cannot be changed");
  return state.guard !== HEADERS_REQUEST || !isForbiddenHeader(name);
};

const appendHeader = (state, name, value) => {
  const lower = headerName(name);
  const text = headerValue(value);
  if (mayChange(state, lower)) addHeader(state, lower, text);
};

const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

// As they are iterated: by name, values of one name joined, cookies apart.
const sortedHeaders = (state) => {
  const all = newList();
  for (let i = 0; i < state.list.length; i++) all[i] = state.list[i];
  ArraySort(all, byName);
  const sorted = newList();
  for (let i = 0; i < all.length; i++) {
    const last = sorted.length - 1;
    const { name, value } = all[i];
    if (name !== "set-cookie" && last >= 0 && sorted[last].name === name)
      sorted[last].value += `, ${value}`;
    else sorted[last + 1] = { __proto__: null, name, value };
  }
  return sorted;
};

const fillFromRecord = (state, record) => {
  const keys = ReflectOwnKeys(record);
  for (let i = 0; i < keys.length; i++) {
    const descriptor = ReflectGetOwnPropertyDescriptor(record, keys[i]);
    if (descriptor !== undefined && descriptor.enumerable)
      appendHeader(state, keys[i], record[keys[i]]);
  }
};

const fillFromPairs = (state, pairs) => {
  for (let i = 0; i < pairs.length; i++) {
    const pair = listFrom(pairs[i], "a header");
    if (pair.length !== 2) throw new TypeError("a header must be a pair of name and value");
    appendHeader(state, pair[0], pair[1]);
  }
};

const fillHeaders = (state, init) => {
  if (init === undefined) return;
  if (!isObject(init)) throw new TypeError("headers must be an object or a list of pairs");
  const other = headersBrand.read(init);
  if (other !== undefined) {
    for (let i = 0; i < other.list.length; i++)
      if (mayChange(state, other.list[i].name))
        addHeader(state, other.list[i].name, other.list[i].value);
  } else if (init[SymbolIterator] === undefined || init[SymbolIterator] === null) {
    fillFromRecord(state, init);
  } else {
    fillFromPairs(state, listFrom(init, "headers"));
  }
};

const newHeadersState = (guard) => ({ __proto__: null, list: newList(), guard });

const headersOf = (state) => {
  const headers = ObjectCreate(Headers.prototype);
  headersBrand.stamp(headers, state);
  return headers;
};

const headersState = (value) => headersBrand.need(value, "Headers");

// ---- iteration: live, by index ----

const HEADERS_KEYS = 0;
const HEADERS_VALUES = 1;
const HEADERS_ENTRIES = 2;

const headersIteratorPrototype = ObjectCreate(
  ReflectGetPrototypeOf(ReflectGetPrototypeOf(new Map().entries())),
);
const headersIteratorMethods = {
  __proto__: null,
  next() {
    const step = headersIteratorBrand.need(this, "Headers Iterator");
    const sorted = sortedHeaders(step.state);
    if (step.index >= sorted.length) return { value: undefined, done: true };
    const { name, value } = sorted[step.index++];
    if (step.kind === HEADERS_KEYS) return { value: name, done: false };
    return { value: step.kind === HEADERS_VALUES ? value : [name, value], done: false };
  },
};
defineData(headersIteratorPrototype, "next", headersIteratorMethods.next, true);
ReflectDefineProperty(headersIteratorPrototype, SymbolToStringTag, {
  __proto__: null, value: "Headers Iterator", configurable: true,
});

const headersIterator = (headers, kind) => {
  const iterator = ObjectCreate(headersIteratorPrototype);
  headersIteratorBrand.stamp(iterator, {
    __proto__: null, state: headersState(headers), kind, index: 0,
  });
  return iterator;
};

class Headers {
  constructor(init = undefined) {
    const state = newHeadersState(HEADERS_FREE);
    fillHeaders(state, init);
    headersBrand.stamp(this, state);
  }
  append(name, value) {
    const state = headersState(this);
    needArguments(arguments.length, 2, "Headers.append");
    appendHeader(state, name, value);
  }
  delete(name) {
    const state = headersState(this);
    needArguments(arguments.length, 1, "Headers.delete");
    const lower = headerName(name);
    if (mayChange(state, lower)) dropHeader(state, lower);
  }
  get(name) {
    const state = headersState(this);
    needArguments(arguments.length, 1, "Headers.get");
    return joinHeader(state, headerName(name));
  }
  getSetCookie() {
    const { list } = headersState(this);
    const cookies = [];
    for (let i = 0; i < list.length; i++)
      if (list[i].name === "set-cookie") defineData(cookies, cookies.length, list[i].value, true);
    return cookies;
  }
  has(name) {
    const state = headersState(this);
    needArguments(arguments.length, 1, "Headers.has");
    return findHeader(state, headerName(name)) >= 0;
  }
  set(name, value) {
    const state = headersState(this);
    needArguments(arguments.length, 2, "Headers.set");
    const lower = headerName(name);
    const text = headerValue(value);
    if (!mayChange(state, lower)) return;
    const at = findHeader(state, lower);
    if (at < 0) {
      addHeader(state, lower, text);
      return;
    }
    const kept = state.list[at];
    dropHeader(state, lower);
    for (let i = state.list.length; i > at; i--) state.list[i] = state.list[i - 1];
    state.list[at] = { __proto__: null, name: kept.name, value: text };
  }
  forEach(callback, thisArgument = undefined) {
    const state = headersState(this);
    needArguments(arguments.length, 1, "Headers.forEach");
    if (typeof callback !== "function") throw new TypeError("callback must be a function");
    for (let i = 0; ; i++) {
      const sorted = sortedHeaders(state);
      if (i >= sorted.length) return;
      ReflectApply(callback, thisArgument, [sorted[i].value, sorted[i].name, this]);
    }
  }
  entries() {
    return headersIterator(this, HEADERS_ENTRIES);
  }
  keys() {
    return headersIterator(this, HEADERS_KEYS);
  }
  values() {
    return headersIterator(this, HEADERS_VALUES);
  }
}
defineData(Headers.prototype, SymbolIterator, Headers.prototype.entries, false);
