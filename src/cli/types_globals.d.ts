/** What `--context` gave, deeply frozen; `{}` without it. */
declare const context: any;

/** Options of a call of a host operation. They tighten what the host allows. */
interface CallOptions {
  /** Milliseconds until the call rejects with a TimeoutError. */
  timeout?: number;
  /** An abort rejects the call with the signal's reason. */
  signal?: AbortSignal | null;
  priority?: "normal" | "low";
}

/** Which operation of the run an error came from. */
interface ApiOperation {
  readonly id: number;
  readonly name: string;
  readonly attempts: number;
}

/** A host operation failed. */
declare class ApiError extends Error {
  constructor(message?: string, options?: { cause?: unknown; code?: string; transient?: boolean });
  /** A stable word for programs, such as "NOT_FOUND". */
  readonly code: string | undefined;
  /** Whether the same call may succeed later. */
  readonly transient: boolean;
  readonly operation: ApiOperation | undefined;
}
/** There is no such thing. */
declare class NotFoundError extends ApiError {}
/** The id is in use. */
declare class ConflictError extends ApiError {}
/** Not permitted. */
declare class PermissionError extends ApiError {}
/** The operation's deadline passed. */
declare class TimeoutError extends ApiError {}
/** The host cancelled the operation. */
declare class AbortError extends ApiError {}

declare class DOMException extends Error {
  constructor(message?: string, name?: string);
  readonly name: string;
  readonly message: string;
  readonly code: number;
}

declare const console: {
  debug(...data: any[]): void;
  log(...data: any[]): void;
  info(...data: any[]): void;
  warn(...data: any[]): void;
  error(...data: any[]): void;
  trace(...data: any[]): void;
  assert(condition?: boolean, ...data: any[]): void;
  dir(value?: any, options?: any): void;
  table(data?: any, columns?: string[]): void;
  group(...data: any[]): void;
  groupCollapsed(...data: any[]): void;
  groupEnd(): void;
  count(label?: string): void;
  countReset(label?: string): void;
  time(label?: string): void;
  timeEnd(label?: string): void;
  timeLog(label?: string, ...data: any[]): void;
};

declare function setTimeout<A extends any[]>(callback: (...args: A) => void, ms?: number, ...args: A): number;
declare function setInterval<A extends any[]>(callback: (...args: A) => void, ms?: number, ...args: A): number;
declare function clearTimeout(id?: number): void;
declare function clearInterval(id?: number): void;
declare function queueMicrotask(callback: () => void): void;
/** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts. */
declare function sleep(ms?: number, options?: { signal?: AbortSignal | null }): Promise<void>;
declare function structuredClone<T>(value: T, options?: { transfer?: ArrayBuffer[] }): T;
declare function atob(data: string): string;
declare function btoa(data: string): string;

declare const performance: {
  /** Milliseconds since the run began, in whole ones. */
  now(): number;
  /** When the run began, in milliseconds since 1970. */
  readonly timeOrigin: number;
};

declare const crypto: {
  /** Fills at most 65536 bytes with the system's randomness. */
  getRandomValues<T extends Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array>(array: T): T;
  /** A UUID of version 4. */
  randomUUID(): `${string}-${string}-${string}-${string}-${string}`;
};

interface EventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}
declare class Event {
  constructor(type: string, options?: EventInit);
  readonly type: string;
  readonly target: EventTarget | null;
  readonly currentTarget: EventTarget | null;
  readonly eventPhase: number;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly composed: boolean;
  readonly defaultPrevented: boolean;
  readonly isTrusted: boolean;
  /** @deprecated stopPropagation() */
  cancelBubble: boolean;
  /** @deprecated preventDefault() */
  returnValue: boolean;
  /** @deprecated target */
  readonly srcElement: EventTarget | null;
  readonly timeStamp: number;
  composedPath(): EventTarget[];
  preventDefault(): void;
  stopPropagation(): void;
  stopImmediatePropagation(): void;
}

type EventListenerLike = ((event: Event) => void) | { handleEvent(event: Event): void };
declare class EventTarget {
  constructor();
  addEventListener(type: string, callback: EventListenerLike | null, options?: boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal }): void;
  removeEventListener(type: string, callback: EventListenerLike | null, options?: boolean | { capture?: boolean }): void;
  dispatchEvent(event: Event): boolean;
}

declare class AbortSignal extends EventTarget {
  private constructor();
  static abort(reason?: any): AbortSignal;
  static timeout(ms: number): AbortSignal;
  static any(signals: Iterable<AbortSignal>): AbortSignal;
  readonly aborted: boolean;
  readonly reason: any;
  onabort: ((event: Event) => void) | null;
  throwIfAborted(): void;
}
declare class AbortController {
  constructor();
  readonly signal: AbortSignal;
  abort(reason?: any): void;
}

declare class TextEncoder {
  constructor();
  readonly encoding: string;
  encode(input?: string): Uint8Array;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(input?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}

declare class URL {
  constructor(url: string | URL, base?: string | URL);
  static parse(url: string | URL, base?: string | URL): URL | null;
  static canParse(url: string | URL, base?: string | URL): boolean;
  href: string;
  readonly origin: string;
  protocol: string;
  username: string;
  password: string;
  host: string;
  hostname: string;
  port: string;
  pathname: string;
  search: string;
  readonly searchParams: URLSearchParams;
  hash: string;
  toString(): string;
  toJSON(): string;
}
declare class URLSearchParams {
  constructor(init?: string | Iterable<[string, string]> | Record<string, string> | URLSearchParams);
  readonly size: number;
  append(name: string, value: string): void;
  delete(name: string, value?: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: string): boolean;
  set(name: string, value: string): void;
  sort(): void;
  toString(): string;
  forEach(callback: (value: string, name: string, params: URLSearchParams) => void, thisArg?: any): void;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  entries(): IterableIterator<[string, string]>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}
