export interface HostOptions {
  /** The vow program; else the variable VOW, else vow on the PATH. */
  path?: string;
  /** Built-in operations that runs may be allowed, such as "notes.*". */
  allow?: string | string[];
  /** Their database, "sqlite:FILE", and the vault in it. */
  db?: string;
  vault?: string;
  messageMib?: number;
  maxRuns?: number;
  /** Files that the program writes: docs/host.md. */
  audit?: string;
  metrics?: string;
}

export type TypeName = "string" | "number" | "integer" | "boolean" | "null" | "array" | "object" | "bytes" | "bigint"
  | "date";

/** A part of JSON Schema: docs/host.md. */
export interface Schema {
  type?: TypeName | TypeName[];
  enum?: Array<string | number | boolean | null>;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  anyOf?: Schema[];
  title?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  format?: string;
}

export interface Policy {
  timeoutMs?: number;
  /** More than 1 only with `idempotent`. */
  attempts?: number;
  backoffMs?: number;
  backoffMaxMs?: number;
  concurrentMax?: number;
  queueMax?: number;
  priority?: number;
  cacheMs?: number;
  cacheErrorMs?: number;
  cacheBytes?: number;
  singleFlight?: boolean;
  /** The function takes calls that come together as one array, and returns an array of
   * their answers: values, Errors, and promises. */
  batchMax?: number;
  batchWindowMs?: number;
  idempotent?: boolean;
}

export interface ToolOptions {
  description?: string;
  /** The arguments in their order; a name that ends in "?" is of an optional one. */
  parameters?: Record<string, TypeName | Schema>;
  result?: TypeName | Schema;
  policy?: Policy;
}

/** What a tool gets behind its parameters. */
export interface Call {
  /** For `parent` of eval(). */
  readonly id: number;
  run: number;
  operation: number;
  name: string;
  /** Which attempt this is, from 1. */
  attempt: number;
  /** How long the script waits; null: as long as it takes. */
  remainingMs: number | null;
  /** Operations the run may still create; null: any number. */
  callsLeft: number | null;
  /** Tells whoever follows the run of something before the answer; RpcError for a value
   * that is longer than a message may be. */
  progress(value: unknown): void;
  /** Aborts when the script no longer waits. */
  signal: AbortSignal;
}

/** One of the calls that a tool with `batchMax` gets. */
export interface BatchCall extends Call {
  arguments: any[];
}

export interface LogLine {
  level: "debug" | "log" | "warn" | "error";
  text: string;
}

/** Something an operation of a run did; "progress" is what its tool told. */
export interface Progress {
  event: "created" | "queued" | "started" | "retried" | "cache_hit" | "settled" | "timed_out" | "cancelled"
    | "denied" | "late" | "progress";
  operation: number;
  name: string;
  detail?: string;
  state?: string;
  error?: string;
  attempt?: number;
  atMs?: number;
  ageMs?: number;
  value?: unknown;
}

export interface EvalOptions {
  name?: string;
  module?: boolean;
  context?: unknown;
  /** Operations it may call; without it, all tools and nothing built in. */
  allow?: string | string[];
  cpuMs?: number;
  wallMs?: number;
  opTimeoutMs?: number;
  memoryMib?: number;
  stackKib?: number;
  resultKib?: number;
  logKib?: number;
  maxOps?: number;
  maxConcurrent?: number;
  maxQueued?: number;
  debug?: boolean;
  /** Cancels the run: eval() rejects with its reason. */
  signal?: AbortSignal;
  onLog?: (line: LogLine) => void;
  onProgress?: (progress: Progress) => void;
  /** On whose behalf it runs, for the audit. */
  tenant?: string;
  /** The call whose tool asks for this run, which then ends with it. */
  parent?: Call;
  /** False: a result for every outcome. */
  check?: boolean;
}

/** As `vow eval --report` writes it: docs/command-line.md. */
export interface Report {
  version: 1;
  outcome: "value" | "error" | "limit" | "cancelled";
  value?: unknown;
  error?: {
    kind: string;
    name?: string;
    message?: string;
    stack?: string;
    operation?: { id: number; name: string; attempts: number };
  };
  operations: Record<string, number>;
  time: { wall_ms: number; guest_ms: number; host_wait_ms: number; ready_ms: number };
  memory: { peak_bytes: number; limit_bytes: number };
  pending: Array<{ id: number; name: string; detail?: string; age_ms: number }>;
  leaks?: Array<{ id: number; name: string; age_ms: number; site?: string }>;
  audit?: { lines: number; last: string; dropped: number };
}

export interface Result {
  value: any;
  report: Report;
  log: LogLine[];
}

export class Host {
  private constructor();
  static open(options?: HostOptions): Promise<Host>;
  readonly pid: number | undefined;
  tool(name: string, options: ToolOptions, run: (...argumentsAndCall: any[]) => unknown): this;
  eval(source: string, options?: EvalOptions): Promise<Result>;
  types(allow?: string | string[]): Promise<string>;
  counts(): Promise<{ runs: number; waiting: number; calls: number; strays: number; logs_dropped: number;
    progress_dropped: number }>;
  metrics(): Promise<string>;
  close(): Promise<void>;
}

export class VowError extends Error {}
export class HostGone extends VowError {}
export class RpcError extends VowError {
  readonly code: number;
}
export class BusyError extends RpcError {}
export class ToolError extends VowError {
  constructor(message: string, options?: { name?: string; code?: string; transient?: boolean });
  readonly code?: string;
  readonly transient: boolean;
}
export class EvalError extends VowError {
  readonly kind: string;
  readonly report: Report;
  readonly log: LogLine[];
  readonly operation?: { id: number; name: string; attempts: number };
  readonly scriptError: { name?: string; message: string; stack?: string };
}
export class ScriptError extends EvalError {}
export class OperationError extends EvalError {}
export class DeniedError extends EvalError {}
export class DeadlockError extends EvalError {}
export class LimitError extends EvalError {}
export class RunCancelled extends EvalError {}
export class InternalError extends EvalError {}
