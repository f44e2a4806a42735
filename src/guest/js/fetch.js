// fetch, Request and Response, by the Fetch standard but for streams: a body is
// there as a whole, so `body` is not. The host sends the request and makes all
// checks again; what is checked here is checked for the caller's sake.

const requestBrand = newBrand();
const responseBrand = newBrand();
const JSONParse = JSON.parse;
const StringToUpperCase = uncurry(String.prototype.toUpperCase);

const usualMethods = {
  __proto__: null, DELETE: true, GET: true, HEAD: true, OPTIONS: true, POST: true, PUT: true,
};
const forbiddenMethods = { __proto__: null, CONNECT: true, TRACE: true, TRACK: true };
const redirectModes = { __proto__: null, follow: true, error: true, manual: true };

// ---- bodies: bytes that are taken once; null: there is none ----

const newBody = (bytes, type) => ({ __proto__: null, bytes, type, used: false });

const bytesOf = (buffer, offset, length) => {
  const copy = new Uint8Array(length);
  TypedArraySet(copy, new Uint8Array(buffer, offset, length));
  return copy;
};

const extractBody = (value) => {
  if (value === undefined || value === null) return newBody(null, null);
  const kind = isObject(value) ? classOf(value) : undefined;
  if (kind === "ArrayBuffer")
    return newBody(bytesOf(value, 0, ArrayBufferByteLength(value)), null);
  if (kind === "DataView") {
    const length = DataViewByteLength(value);
    return newBody(bytesOf(DataViewBuffer(value), DataViewByteOffset(value), length), null);
  }
  if (kind !== undefined && isTypedArray(value)) {
    const length = TypedArrayByteLength(value);
    return newBody(bytesOf(TypedArrayBuffer(value), TypedArrayByteOffset(value), length), null);
  }
  const params = paramsBrand.read(value);
  if (params !== undefined)
    return newBody(utf8Encode(serializeQuery(params.list)),
                   "application/x-www-form-urlencoded;charset=UTF-8");
  return newBody(utf8Encode(`${value}`), "text/plain;charset=UTF-8");
};

const needUnused = (body) => {
  if (body.used) throw new TypeError("the body has been read already");
};

const takeBytes = (body) => {
  needUnused(body);
  const { bytes } = body;
  if (bytes === null) return new Uint8Array(0);
  body.used = true;
  body.bytes = null;
  return bytes;
};

const textOf = (bytes) =>
  decode(decoderState(0, false, false), TypedArrayBuffer(bytes), TypedArrayByteOffset(bytes),
         TypedArrayByteLength(bytes), false);

const cloneBody = (body) => {
  needUnused(body);
  const { bytes, type } = body;
  if (bytes === null) return newBody(null, type);
  return newBody(bytesOf(TypedArrayBuffer(bytes), 0, TypedArrayByteLength(bytes)), type);
};

const setContentType = (headers, body) => {
  if (body.type !== null && findHeader(headers, "content-type") < 0)
    addHeader(headers, "content-type", body.type);
};

// ---- Request ----

// There is no page: a URL has no base. What the host reads is this text again.
const absoluteUrl = (value) => {
  const text = usvString(value);
  const parts = parseUrl(text, undefined);
  if (parts === undefined) throw new TypeError(`${quote(text, 100)} is not an absolute URL`);
  return parts;
};

const requestUrl = (value) => {
  const parts = absoluteUrl(value);
  const begin = parts[1 + 2 * URL_USERNAME];
  const end = parts[2 + 2 * URL_USERNAME];
  if (begin !== end || parts[1 + 2 * URL_PASSWORD] !== parts[2 + 2 * URL_PASSWORD])
    throw new TypeError("the URL has a user name or a password; send an Authorization header instead");
  return parts[0];
};

const requestMethod = (value) => {
  const method = byteString(value, "method");
  if (!isToken(method)) throw new TypeError(`${quote(method, 60)} is not an HTTP method`);
  const upper = StringToUpperCase(method);
  if (forbiddenMethods[upper]) throw new TypeError(`the method ${upper} is forbidden`);
  return usualMethods[upper] ? upper : method;
};

const requestSignal = (value) => {
  if (value === null) return null;
  signalState(value);
  return value;
};

const requestRedirect = (value) => {
  const mode = `${value}`;
  if (redirectModes[mode]) return mode;
  throw new TypeError(`redirect must be follow, error or manual, not ${quote(mode, 60)}`);
};

const newRequestBody = (source, value, method) => {
  const given = value !== undefined && value !== null;
  if (!given && source !== undefined) needUnused(source.body);
  const inherited = !given && source !== undefined && source.body.bytes !== null;
  if ((given || inherited) && (method === "GET" || method === "HEAD"))
    throw new TypeError(`a request with the method ${method} has no body`);
  if (!inherited) return extractBody(value);
  const { type } = source.body;
  return newBody(takeBytes(source.body), type);
};

const newRequestState = (input, init) => {
  const source = requestBrand.read(input);
  const url = source === undefined ? requestUrl(input) : source.url;
  const options = optionsFrom(init, "init");
  const { method: givenMethod, headers: givenHeaders, body: givenBody, signal: givenSignal } = options;
  const { redirect: givenRedirect } = options;
  const old = source || { __proto__: null, method: "GET", redirect: "follow", source: null };
  const method = givenMethod === undefined ? old.method : requestMethod(givenMethod);
  const redirect = givenRedirect === undefined ? old.redirect : requestRedirect(givenRedirect);
  const signal = givenSignal === undefined ? old.source : requestSignal(givenSignal);
  const headers = newHeadersState(HEADERS_REQUEST);
  if (givenHeaders !== undefined) fillHeaders(headers, givenHeaders);
  else if (source !== undefined)
    for (let i = 0; i < source.headers.list.length; i++)
      addHeader(headers, source.headers.list[i].name, source.headers.list[i].value);
  const body = newRequestBody(source, givenBody, method);
  setContentType(headers, body);
  return {
    __proto__: null, url, method, redirect, headers, body, source: signal, headersObject: null,
    signalObject: null,
  };
};

const requestState = (value) => requestBrand.need(value, "Request");

const headersObjectOf = (state) => {
  if (state.headersObject === null) state.headersObject = headersOf(state.headers);
  return state.headersObject;
};

const signalObjectOf = (state) => {
  if (state.signalObject !== null) return state.signalObject;
  const sources = newList();
  if (state.source !== null) sources[0] = state.source;
  return (state.signalObject = anySignal(sources));
};

class Request {
  constructor(input, init = undefined) {
    needArguments(arguments.length, 1, "Request");
    requestBrand.stamp(this, newRequestState(input, init));
  }
  get method() {
    return requestState(this).method;
  }
  get url() {
    return requestState(this).url;
  }
  get headers() {
    return headersObjectOf(requestState(this));
  }
  get redirect() {
    return requestState(this).redirect;
  }
  get signal() {
    return signalObjectOf(requestState(this));
  }
  get bodyUsed() {
    return requestState(this).body.used;
  }
  clone() {
    const state = requestState(this);
    needUnused(state.body);
    const copy = ObjectCreate(Request.prototype);
    const headers = newHeadersState(HEADERS_REQUEST);
    fillHeaders(headers, headersObjectOf(state));
    requestBrand.stamp(copy, {
      __proto__: null, url: state.url, method: state.method, redirect: state.redirect, headers,
      body: cloneBody(state.body), source: state.source, headersObject: null, signalObject: null,
    });
    return copy;
  }
  async arrayBuffer() {
    return TypedArrayBuffer(takeBytes(requestState(this).body));
  }
  async bytes() {
    return takeBytes(requestState(this).body);
  }
  async json() {
    return JSONParse(textOf(takeBytes(requestState(this).body)));
  }
  async text() {
    return textOf(takeBytes(requestState(this).body));
  }
}

// ---- Response ----

const newResponseState = (body, guard) => ({
  __proto__: null, type: "default", url: "", redirected: false, status: 200, statusText: "",
  headers: newHeadersState(guard), body, headersObject: null,
});

const responseState = (value) => responseBrand.need(value, "Response");

const responseOf = (state) => {
  const response = ObjectCreate(Response.prototype);
  responseBrand.stamp(response, state);
  return response;
};

const isNullBodyStatus = (status) => status === 204 || status === 205 || status === 304;
const isRedirectStatus = (status) =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308;

const responseStatus = (value) => {
  const status = MathTrunc(+value);
  if (!(status >= 200 && status <= 599))
    throw new RangeError("the status of a response is a number from 200 to 599");
  return status;
};

const reasonPhrase = (value) => {
  const text = byteString(value, "statusText");
  for (let i = 0; i < text.length; i++) {
    const code = StringCharCodeAt(text, i);
    if ((code < 32 && code !== 9) || code === 127)
      throw new TypeError("statusText has a control character in it");
  }
  return text;
};

const initResponse = (state, init) => {
  const { status, statusText, headers } = optionsFrom(init, "init");
  if (status !== undefined) state.status = responseStatus(status);
  if (statusText !== undefined) state.statusText = reasonPhrase(statusText);
  fillHeaders(state.headers, headers);
  if (state.body.bytes !== null && isNullBodyStatus(state.status))
    throw new TypeError(`a response with the status ${state.status} has no body`);
  setContentType(state.headers, state.body);
  return state;
};

class Response {
  constructor(body = null, init = undefined) {
    const state = newResponseState(extractBody(body), HEADERS_FREE);
    responseBrand.stamp(this, initResponse(state, init));
  }
  static error() {
    const state = newResponseState(newBody(null, null), HEADERS_IMMUTABLE);
    state.type = "error";
    state.status = 0;
    return responseOf(state);
  }
  static json(data, init = undefined) {
    needArguments(arguments.length, 1, "Response.json");
    const text = JSONStringify(data);
    if (text === undefined) throw new TypeError("the data is nothing that JSON can say");
    const state = newResponseState(newBody(utf8Encode(text), "application/json"), HEADERS_FREE);
    return responseOf(initResponse(state, init));
  }
  static redirect(url, status = 302) {
    needArguments(arguments.length, 1, "Response.redirect");
    const state = newResponseState(newBody(null, null), HEADERS_IMMUTABLE);
    const location = absoluteUrl(url)[0];
    state.status = MathTrunc(+status);
    if (!isRedirectStatus(state.status))
      throw new RangeError("the status of a redirect is 301, 302, 303, 307 or 308");
    addHeader(state.headers, "location", headerValue(location));
    return responseOf(state);
  }
  get type() {
    return responseState(this).type;
  }
  get url() {
    return responseState(this).url;
  }
  get redirected() {
    return responseState(this).redirected;
  }
  get status() {
    return responseState(this).status;
  }
  get ok() {
    const { status } = responseState(this);
    return status >= 200 && status <= 299;
  }
  get statusText() {
    return responseState(this).statusText;
  }
  get headers() {
    return headersObjectOf(responseState(this));
  }
  get bodyUsed() {
    return responseState(this).body.used;
  }
  clone() {
    const state = responseState(this);
    const copy = newResponseState(cloneBody(state.body), HEADERS_FREE);
    fillHeaders(copy.headers, headersObjectOf(state));
    copy.headers.guard = state.headers.guard;
    const { type, url, redirected, status, statusText } = state;
    copy.type = type;
    copy.url = url;
    copy.redirected = redirected;
    copy.status = status;
    copy.statusText = statusText;
    return responseOf(copy);
  }
  async arrayBuffer() {
    return TypedArrayBuffer(takeBytes(responseState(this).body));
  }
  async bytes() {
    return takeBytes(responseState(this).body);
  }
  async json() {
    return JSONParse(textOf(takeBytes(responseState(this).body)));
  }
  async text() {
    return textOf(takeBytes(responseState(this).body));
  }
}

// ---- fetch ----

// What the host reads: see fetch_request_read() and fetch_response_put().
const requestMessage = (state) => {
  const headers = newList();
  const { list } = state.headers;
  for (let i = 0; i < list.length; i++) {
    headers[2 * i] = list[i].name;
    headers[2 * i + 1] = list[i].value;
  }
  const message = newList();
  message[0] = state.url;
  message[1] = state.method;
  message[2] = headers;
  message[3] = state.body.bytes === null ? null : takeBytes(state.body);
  message[4] = state.redirect;
  return message;
};

const fetchedResponse = (answer) => {
  const bytes = answer[5];
  const state = newResponseState(
    newBody(bytes === null ? null : new Uint8Array(bytes), null), HEADERS_IMMUTABLE,
  );
  state.type = "basic";
  state.status = answer[0];
  state.statusText = answer[1];
  state.url = answer[2];
  state.redirected = answer[3];
  for (let i = 0; i < answer[4].length; i += 2)
    addHeader(state.headers, answer[4][i], answer[4][i + 1]);
  return responseOf(state);
};

const startFetch = async (send, input, init) => {
  const request = newRequestState(input, init);
  const { timeout, priority } = optionsFrom(init, "init");
  const signal = request.source === null ? undefined : request.source;
  const answer = send(requestMessage(request), { __proto__: null, timeout, signal, priority });
  // So that `await` asks no prototype of the guest's what kind of promise it is.
  defineData(answer, "constructor", Promise, false);
  return fetchedResponse(await answer);
};

// Called when fetch is allowed, with the operation.
const installFetch = (send) => {
  const globals = {
    __proto__: null,
    fetch(input, init = undefined) {
      return startFetch(send, input, init);
    },
    Headers, Request, Response,
  };
  for (const name in globals) defineData(globalObject, name, globals[name], false);
};

// What inspect() shows.
const fetchFields = (object) => {
  const headers = headersBrand.read(object);
  if (headers !== undefined) {
    const fields = { __proto__: null };
    const sorted = sortedHeaders(headers);
    for (let i = 0; i < sorted.length; i++) defineData(fields, sorted[i].name, sorted[i].value, true);
    return fields;
  }
  const request = requestBrand.read(object);
  if (request !== undefined)
    return { __proto__: null, method: request.method, url: request.url };
  const response = responseBrand.read(object);
  if (response === undefined) return undefined;
  const { status, statusText, url } = response;
  return { __proto__: null, status, statusText, url };
};
