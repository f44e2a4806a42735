// URL and URLSearchParams by the WHATWG URL standard; the parser is native. A URL
// is its text with the places of its parts, as the parser told them.

const urlBrand = newBrand();
const paramsBrand = newBrand();

// Places of url_part in what the parser returns: begin, then end.
const URL_PROTOCOL = 0;
const URL_USERNAME = 1;
const URL_PASSWORD = 2;
const URL_HOST = 3;
const URL_HOSTNAME = 4;
const URL_PORT = 5;
const URL_PATHNAME = 6;
const URL_SEARCH = 7;
const URL_HASH = 8;

const usvString = (value) => StringToWellFormed(`${value}`);

// ---- query strings: names and values in turn, in one list ----

// One "?" at the start is not a part of it.
const parseQuery = (text) => {
  const list = queryParse(text);
  ReflectSetPrototypeOf(list, null);
  return list;
};

const serializeQuery = (list) => {
  let text = "";
  for (let i = 0; i < list.length; i += 2)
    text += (i === 0 ? "" : "&") + queryPair(list[i], list[i + 1]);
  return text;
};

const queryFromPairs = (init) => {
  const list = newList();
  const pairs = listFrom(init, "init");
  for (let i = 0; i < pairs.length; i++) {
    if (!isObject(pairs[i])) throw new TypeError("each pair must be iterable");
    const pair = listFrom(pairs[i], "each pair");
    if (pair.length !== 2) throw new TypeError("each pair must have a name and a value");
    list[list.length] = usvString(pair[0]);
    list[list.length] = usvString(pair[1]);
  }
  return list;
};

// A name that two keys become, once well-formed, keeps its place and the last value.
const queryFromRecord = (init) => {
  const list = newList();
  const keys = ReflectOwnKeys(init);
  const places = new Map();
  for (let i = 0; i < keys.length; i++) {
    const found = ReflectGetOwnPropertyDescriptor(init, keys[i]);
    if (found === undefined || !found.enumerable) continue;
    if (typeof keys[i] === "symbol") throw new TypeError("a symbol cannot be a name");
    const name = usvString(keys[i]);
    const value = usvString(init[keys[i]]);
    const place = MapGet(places, name);
    const at = place === undefined ? list.length : place;
    MapSet(places, name, at);
    list[at] = name;
    list[at + 1] = value;
  }
  return list;
};

const queryFrom = (init) => {
  if (isObject(init)) {
    const method = init[SymbolIterator];
    return method === undefined || method === null ? queryFromRecord(init) : queryFromPairs(init);
  }
  return parseQuery(usvString(init));
};

// Keeps the pairs for which `keep(name, value)`.
const filterQuery = (list, keep) => {
  let kept = 0;
  for (let i = 0; i < list.length; i += 2) {
    if (!keep(list[i], list[i + 1])) continue;
    const name = list[i];
    list[kept + 1] = list[i + 1];
    list[kept] = name;
    kept += 2;
  }
  list.length = kept;
};

// By the UTF-16 units of the names; equal ones keep their order. Merges runs that
// double in length.
const sortQuery = (list) => {
  let from = list;
  for (let run = 2; run < list.length; run *= 2) {
    const to = newList();
    for (let start = 0; start < from.length; start += 2 * run) {
      const middle = MathMin(start + run, from.length);
      const end = MathMin(start + 2 * run, from.length);
      let left = start;
      let right = middle;
      while (left < middle || right < end) {
        const takeLeft = right >= end || (left < middle && from[left] <= from[right]);
        const at = takeLeft ? left : right;
        to[to.length] = from[at];
        to[to.length] = from[at + 1];
        if (takeLeft) left += 2;
        else right += 2;
      }
    }
    from = to;
  }
  for (let i = 0; i < from.length; i++) list[i] = from[i];
};

// ---- URLSearchParams ----

const paramsOf = (value) => paramsBrand.need(value, "URLSearchParams");

// The URL's query follows its parameters.
const paramsChanged = (params) => {
  if (params.url === undefined) return;
  setParts(params.url, urlChange(params.url.href, URL_SEARCH, serializeQuery(params.list)));
};

const KEYS = 0;
const VALUES = 1;
const ENTRIES = 2;
const paramsIteratorBrand = newBrand();

const paramsIteratorPrototype = ObjectCreate(IteratorPrototype, {
  __proto__: null,
  next: {
    __proto__: null, writable: true, enumerable: true, configurable: true,
    value: {
      next() {
        const state = paramsIteratorBrand.need(this, "URLSearchParams Iterator");
        const at = state.at;
        if (at >= state.params.list.length) return { value: undefined, done: true };
        state.at += 2;
        const name = state.params.list[at];
        const value = state.params.list[at + 1];
        if (state.kind === KEYS) return { value: name, done: false };
        return { value: state.kind === VALUES ? value : [name, value], done: false };
      },
    }.next,
  },
});
ReflectDefineProperty(paramsIteratorPrototype, SymbolToStringTag, {
  __proto__: null, value: "URLSearchParams Iterator", configurable: true,
});

const iterateParams = (params, kind) => {
  const iterator = ObjectCreate(paramsIteratorPrototype);
  paramsIteratorBrand.stamp(iterator, { __proto__: null, params, kind, at: 0 });
  return iterator;
};

class URLSearchParams {
  constructor(init = "") {
    paramsBrand.stamp(this, { __proto__: null, list: queryFrom(init), url: undefined });
  }
  append(name, value) {
    const params = paramsOf(this);
    needArguments(arguments.length, 2, "append");
    const text = usvString(name);
    const other = usvString(value);
    params.list[params.list.length] = text;
    params.list[params.list.length] = other;
    paramsChanged(params);
  }
  delete(name, value = undefined) {
    const params = paramsOf(this);
    needArguments(arguments.length, 1, "delete");
    const text = usvString(name);
    const wanted = value === undefined ? undefined : usvString(value);
    filterQuery(params.list, (key, held) =>
      key !== text || (wanted !== undefined && held !== wanted));
    paramsChanged(params);
  }
  get(name) {
    const { list } = paramsOf(this);
    needArguments(arguments.length, 1, "get");
    const text = usvString(name);
    for (let i = 0; i < list.length; i += 2)
      if (list[i] === text) return list[i + 1];
    return null;
  }
  getAll(name) {
    const { list } = paramsOf(this);
    needArguments(arguments.length, 1, "getAll");
    const text = usvString(name);
    const found = [];
    for (let i = 0; i < list.length; i += 2)
      if (list[i] === text) defineData(found, found.length, list[i + 1], true);
    return found;
  }
  has(name, value = undefined) {
    const { list } = paramsOf(this);
    needArguments(arguments.length, 1, "has");
    const text = usvString(name);
    const wanted = value === undefined ? undefined : usvString(value);
    for (let i = 0; i < list.length; i += 2)
      if (list[i] === text && (wanted === undefined || list[i + 1] === wanted)) return true;
    return false;
  }
  set(name, value) {
    const params = paramsOf(this);
    needArguments(arguments.length, 2, "set");
    const text = usvString(name);
    const other = usvString(value);
    const { list } = params;
    let first = 0;
    while (first < list.length && list[first] !== text) first += 2;
    list[first] = text;
    list[first + 1] = other;
    let at = -2;
    filterQuery(list, (key) => {
      at += 2;
      return key !== text || at === first;
    });
    paramsChanged(params);
  }
  get size() {
    return paramsOf(this).list.length / 2;
  }
  sort() {
    const params = paramsOf(this);
    sortQuery(params.list);
    paramsChanged(params);
  }
  toString() {
    return serializeQuery(paramsOf(this).list);
  }
  entries() {
    return iterateParams(paramsOf(this), ENTRIES);
  }
  forEach(callback, thisArgument = undefined) {
    const { list } = paramsOf(this);
    needArguments(arguments.length, 1, "forEach");
    if (typeof callback !== "function") throw new TypeError("callback must be a function");
    for (let i = 0; i < list.length; i += 2)
      ReflectApply(callback, thisArgument, [list[i + 1], list[i], this]);
  }
  keys() {
    return iterateParams(paramsOf(this), KEYS);
  }
  values() {
    return iterateParams(paramsOf(this), VALUES);
  }
}

// ---- URL ----

const setParts = (data, parts) => {
  ReflectSetPrototypeOf(parts, null);
  data.parts = parts;
  data.href = parts[0];
};

const newUrl = (object, parts) => {
  const data = { __proto__: null, href: "", parts, params: undefined };
  setParts(data, parts);
  urlBrand.stamp(object, data);
};

const parseUrl = (url, base) =>
  urlParse(usvString(url), base === undefined ? undefined : usvString(base));

const failUrl = (text) => {
  throw new TypeError(`Invalid URL: ${quote(`${text}`, 200)}`);
};

const partOf = (value, part) => {
  const { href, parts } = urlBrand.need(value, "URL");
  return StringSlice(href, parts[1 + 2 * part], parts[2 + 2 * part]);
};

const changePart = (object, part, value) => {
  const data = urlBrand.need(object, "URL");
  setParts(data, urlChange(data.href, part, usvString(value)));
  return data;
};

// The object of `searchParams` stays the same; what it holds is made anew.
const queryChanged = (data) => {
  if (data.params === undefined) return;
  const params = paramsBrand.read(data.params);
  params.list = parseQuery(StringSlice(data.href, data.parts[1 + 2 * URL_SEARCH],
                                       data.parts[2 + 2 * URL_SEARCH]));
};

class URL {
  constructor(url, base = undefined) {
    needArguments(arguments.length, 1, "URL");
    const parts = parseUrl(url, base);
    if (parts === undefined) failUrl(url);
    newUrl(this, parts);
  }
  static parse(url, base = undefined) {
    needArguments(arguments.length, 1, "URL.parse");
    const parts = parseUrl(url, base);
    if (parts === undefined) return null;
    const object = ObjectCreate(URLPrototype);
    newUrl(object, parts);
    return object;
  }
  static canParse(url, base = undefined) {
    needArguments(arguments.length, 1, "URL.canParse");
    return parseUrl(url, base) !== undefined;
  }
  get href() {
    return urlBrand.need(this, "URL").href;
  }
  set href(value) {
    const data = urlBrand.need(this, "URL");
    const parts = parseUrl(value, undefined);
    if (parts === undefined) failUrl(value);
    setParts(data, parts);
    queryChanged(data);
  }
  get origin() {
    return urlOrigin(urlBrand.need(this, "URL").href);
  }
  get protocol() {
    return partOf(this, URL_PROTOCOL);
  }
  set protocol(value) {
    changePart(this, URL_PROTOCOL, value);
  }
  get username() {
    return partOf(this, URL_USERNAME);
  }
  set username(value) {
    changePart(this, URL_USERNAME, value);
  }
  get password() {
    return partOf(this, URL_PASSWORD);
  }
  set password(value) {
    changePart(this, URL_PASSWORD, value);
  }
  get host() {
    return partOf(this, URL_HOST);
  }
  set host(value) {
    changePart(this, URL_HOST, value);
  }
  get hostname() {
    return partOf(this, URL_HOSTNAME);
  }
  set hostname(value) {
    changePart(this, URL_HOSTNAME, value);
  }
  get port() {
    return partOf(this, URL_PORT);
  }
  set port(value) {
    changePart(this, URL_PORT, value);
  }
  get pathname() {
    return partOf(this, URL_PATHNAME);
  }
  set pathname(value) {
    changePart(this, URL_PATHNAME, value);
  }
  get search() {
    return partOf(this, URL_SEARCH);
  }
  set search(value) {
    queryChanged(changePart(this, URL_SEARCH, value));
  }
  get searchParams() {
    const data = urlBrand.need(this, "URL");
    if (data.params === undefined) {
      data.params = ObjectCreate(URLSearchParamsPrototype);
      paramsBrand.stamp(data.params, { __proto__: null, list: newList(), url: data });
      queryChanged(data);
    }
    return data.params;
  }
  get hash() {
    return partOf(this, URL_HASH);
  }
  set hash(value) {
    changePart(this, URL_HASH, value);
  }
  toString() {
    return urlBrand.need(this, "URL").href;
  }
  toJSON() {
    return urlBrand.need(this, "URL").href;
  }
}
const URLPrototype = URL.prototype;
const URLSearchParamsPrototype = URLSearchParams.prototype;

// The functions that iterate are one.
const finishUrlInterfaces = () => {
  ReflectDefineProperty(URLSearchParamsPrototype, SymbolIterator, {
    __proto__: null, value: URLSearchParamsPrototype.entries, writable: true, configurable: true,
  });
  for (const name of ["parse", "canParse"])
    ReflectDefineProperty(URL, name, { __proto__: null, enumerable: true });
};
