// One vow process, and what goes to and fro. The types are in index.d.ts.
import { spawn } from "node:child_process";

import { BusyError, HostGone, RpcError, evalError, rpcErrorOf } from "./errors.js";
import { decode, encode } from "./values.js";

export * from "./errors.js";

const BUSY = -32002;
const TOO_LARGE = -32001;
const CLOSE_MS = 10000;

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** {city: "string", "days?": {type: "integer"}} as the protocol has it. */
const parametersOf = (parameters = {}) =>
  Object.entries(parameters).map(([key, schema]) => ({
    name: key.replace(/\?$/, ""),
    schema: typeof schema === "string" ? { type: schema } : schema,
    optional: key.endsWith("?"),
  }));

/** Policy fields and limits in the names of the protocol. */
const snaked = (object) =>
  Object.fromEntries(
    Object.entries(object)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [snake(key), value]),
  );

/** An error in it is its owner's: messages go on. */
const callBack = (call, argument) => {
  try {
    call(argument);
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
};

/** One answer for each call: a value, an Error, or a promise. */
const answersOf = async ({ name, run }, calls) => {
  const answers = await run(calls);
  if (!Array.isArray(answers)) throw new TypeError(`${name} returned no array`);
  // Nobody waits for one as long as an earlier part of its call is at work.
  for (const answer of answers) if (answer instanceof Promise) answer.catch(() => {});
  if (answers.length !== calls.length)
    throw new RangeError(`${name} returned ${answers.length} results for ${calls.length} calls`);
  return answers;
};

export class Host {
  #process;
  #closed;
  #gone = null;
  #messageMax = 1 << 20;
  #nextId = 0;
  #answers = new Map();
  #logs = new Map();
  #followers = new Map();
  #calls = new Map();
  #tools = new Map();
  #unregistered = [];
  #registering = Promise.resolve();
  #rest = [];

  /** Starts the program: `path`, else the variable VOW, else vow on the PATH. */
  static async open({ path, allow, db, vault, messageMib, maxRuns, audit, metrics } = {}) {
    const listed = Array.isArray(allow) ? allow.join(",") : allow;
    const options = { allow: listed, db, vault, "message-mib": messageMib, "max-runs": maxRuns, audit, metrics };
    const host = new Host(
      path ?? (process.env.VOW || "vow"),
      Object.entries(options).filter(([, value]) => value !== undefined).map(([name, value]) => `--${name}=${value}`),
    );
    try {
      host.#messageMax = (await host.#request("version", {})).message_bytes_max;
    } catch (error) {
      await host.close();
      throw error;
    }
    return host;
  }

  constructor(path, options) {
    const child = spawn(path, ["host", ...options], { stdio: ["pipe", "pipe", "inherit"] });
    this.#process = child;
    this.#closed = new Promise((resolve) => {
      child.on("error", (error) => {
        this.#end(new HostGone(`the vow program cannot be started: ${error.message}`));
        resolve();
      });
      child.on("close", () => {
        this.#end(new HostGone("the vow program has ended"));
        resolve();
      });
    });
    child.stdin.on("error", () => {}); // told by "close"
    child.stdout.on("error", () => {});
    child.stdout.on("data", (chunk) => this.#onData(chunk));
  }

  get pid() {
    return this.#process.pid;
  }

  /** Ends runs and calls, and the process. */
  async close() {
    this.#end(new HostGone("the host was closed"));
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), CLOSE_MS);
    await this.#closed;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }

  #end(gone) {
    this.#gone ??= gone;
    for (const { reject } of this.#answers.values()) reject(this.#gone);
    this.#answers.clear();
    for (const controller of this.#calls.values()) controller.abort();
  }

  // ---- messages ----

  #onData(chunk) {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      this.#rest.push(chunk.subarray(from, at));
      const line = Buffer.concat(this.#rest).toString("utf8");
      this.#rest = [];
      from = at + 1;
      this.#onMessage(JSON.parse(line), line.includes('"$'));
    }
    if (from < chunk.length) this.#rest.push(chunk.subarray(from));
  }

  #onMessage(message, forms) {
    const { method, params } = message;
    if (Array.isArray(message)) this.#onCalls(message, forms);
    else if (method === undefined) this.#onAnswer(message);
    else if (method === "call") this.#onCall(message, forms);
    else if (method === "log") this.#logs.get(params.run)?.({ level: params.level, text: params.text });
    else if (method === "progress") this.#onProgress(params, forms);
    else if (method === "cancelled") this.#calls.get(params.call)?.abort();
  }

  #onProgress({ run, at_ms: atMs, age_ms: ageMs, value, ...rest }, forms) {
    const follower = this.#followers.get(run);
    const told = rest.event === "progress" ? { value: forms ? decode(value) : value } : { atMs, ageMs };
    if (follower) callBack(follower, { ...rest, ...told });
  }

  #onAnswer({ id, result, error }) {
    const answer = this.#answers.get(id);
    this.#answers.delete(id);
    if (!error) answer?.resolve(result);
    else answer?.reject(new (error.code === BUSY ? BusyError : RpcError)(error.code, error.message));
  }

  #write(text) {
    if (this.#gone) throw this.#gone;
    const bytes = Buffer.from(text + "\n");
    if (bytes.length - 1 > this.#messageMax)
      // The program's answer could not say to what.
      throw new RpcError(TOO_LARGE, `the message is longer than ${this.#messageMax} bytes`);
    this.#process.stdin.write(bytes);
  }

  #request(method, params, id = ++this.#nextId) {
    return new Promise((resolve, reject) => {
      this.#write(`{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${encode(params)}}`);
      this.#answers.set(id, { resolve, reject });
    });
  }

  // ---- tools ----

  /** Lets scripts call `run` by `name`; the program hears of it before the next run. */
  tool(name, { description, parameters, result, policy } = {}, run) {
    if (typeof run !== "function") throw new TypeError(`tool ${name}: the last argument must be a function`);
    if (this.#tools.has(name)) throw new Error(`there is a tool ${name} already`);
    const list = parametersOf(parameters);
    this.#tools.set(name, { run, name, count: list.length });
    this.#unregistered.push({
      name,
      parameters: list,
      ...(description !== undefined && { description }),
      ...(result !== undefined && { result: typeof result === "string" ? { type: result } : result }),
      ...(policy && { policy: snaked(policy) }),
    });
    return this;
  }

  #register() {
    const next = this.#registering.then(async () => {
      while (this.#unregistered.length > 0) {
        const tool = this.#unregistered.shift();
        try {
          await this.#request("register", { operations: [tool] });
        } catch (error) {
          this.#tools.delete(tool.name);
          throw error;
        }
      }
    });
    this.#registering = next.catch(() => {});
    return next;
  }

  /** What a function learns of a call; `given` are its arguments. */
  #callOf({ id, params }, forms) {
    const { run, operation, name, attempt, remaining_ms: remainingMs, calls_left: callsLeft } = params;
    const controller = new AbortController();
    this.#calls.set(id, controller);
    const progress = (value) => {
      if (!this.#gone && this.#calls.has(id))
        this.#write(`{"jsonrpc":"2.0","method":"progress","params":{"call":${id},"value":${encode(value)}}}`);
    };
    const given = forms ? decode(params.arguments) : params.arguments;
    given.length = this.#tools.get(name).count;
    return { given, call: { id, run, operation, name, attempt, remainingMs, callsLeft, signal: controller.signal, progress } };
  }

  /** Answers a call by what `value`, called at once, returns, throws, or promises. */
  async #answer({ id, name }, value) {
    const head = `{"jsonrpc":"2.0","id":${id},`;
    let answer;
    try {
      answer = `${head}"result":${encode(await value())}}`;
      if (Buffer.byteLength(answer) > this.#messageMax)
        throw new RangeError(`the result of ${name} is longer than ${this.#messageMax} bytes`);
    } catch (error) {
      answer = `${head}"error":${JSON.stringify(rpcErrorOf(error))}}`;
    }
    this.#calls.delete(id);
    if (!this.#gone) this.#write(answer);
  }

  #onCall(message, forms) {
    const { call, given } = this.#callOf(message, forms);
    this.#answer(call, () => this.#tools.get(call.name).run(...given, call));
  }

  /** Calls that came together are one call of the function, each with an answer. */
  #onCalls(messages, forms) {
    const calls = messages.map((message) => {
      const { call, given } = this.#callOf(message, forms);
      return { ...call, arguments: given };
    });
    const answers = answersOf(this.#tools.get(calls[0].name), calls);
    calls.forEach((call, at) =>
      this.#answer(call, async () => {
        const answer = await (await answers)[at];
        if (answer instanceof Error) throw answer;
        return answer;
      }),
    );
  }

  // ---- runs ----

  async eval(source, { signal, onLog, onProgress, parent, check = true, context, allow, ...limits } = {}) {
    signal?.throwIfAborted();
    await this.#register();
    signal?.throwIfAborted();
    const id = ++this.#nextId;
    const log = [];
    this.#logs.set(id, (line) => {
      log.push(line);
      if (onLog) callBack(onLog, line);
    });
    const params = { source, ...snaked(limits) };
    if (context !== undefined) params.context = context;
    if (parent !== undefined) params.parent = parent.id;
    if (onProgress) {
      params.progress = true;
      this.#followers.set(id, onProgress);
    }
    if (allow !== undefined) params.allow = [allow].flat();
    const cancel = () => {
      if (!this.#gone) this.#write(`{"jsonrpc":"2.0","method":"cancel","params":{"id":${id}}}`);
    };
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      const report = await this.#request("eval", params, id);
      signal?.throwIfAborted();
      if (check && report.outcome !== "value") throw evalError(report, log);
      return { value: report.value, report, log };
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#logs.delete(id);
      this.#followers.delete(id);
    }
  }

  /** TypeScript declarations of what a run may call: for a prompt. */
  async types(allow) {
    await this.#register();
    return (await this.#request("types", allow === undefined ? {} : { allow: [allow].flat() })).types;
  }

  /** Counts and times since the start, as text for Prometheus. */
  async metrics() {
    return (await this.#request("metrics", {})).metrics;
  }

  /** What is going on: runs, waiting, calls, strays, logs_dropped, progress_dropped. */
  counts() {
    return this.#request("ping", {});
  }
}
