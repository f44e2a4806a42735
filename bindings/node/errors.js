// What may go wrong, as classes.

export class VowError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** The vow program has ended, or was never started. */
export class HostGone extends VowError {}

/** The program refused a request: `code` as in docs/host.md. */
export class RpcError extends VowError {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Too many runs wait already: it may be tried again later. */
export class BusyError extends RpcError {}

/** Thrown by a tool: the error that the script sees. */
export class ToolError extends VowError {
  #name;
  constructor(message, { name = "ApiError", code, transient = false } = {}) {
    super(message);
    this.#name = name;
    this.code = code;
    this.transient = transient;
  }
  get name() {
    return this.#name;
  }
}

/** A run that came to no value. */
export class EvalError extends VowError {
  constructor(report, log) {
    const { kind = "internal", name, message = "", stack, operation } = report.error ?? {};
    super(`${report.outcome} (${kind}): ${name ? `${name}: ` : ""}${message}`);
    Object.assign(this, { kind, report, log, operation });
    this.scriptError = { name, message, stack };
  }
}
export class ScriptError extends EvalError {}
export class OperationError extends EvalError {}
export class DeniedError extends EvalError {}
export class DeadlockError extends EvalError {}
export class LimitError extends EvalError {}
export class RunCancelled extends EvalError {}
export class InternalError extends EvalError {}

const byKind = {
  script: ScriptError,
  api: OperationError,
  denied: DeniedError,
  deadlock: DeadlockError,
  cancelled: RunCancelled,
  internal: InternalError,
};

export const evalError = (report, log) =>
  new (report.outcome === "limit" ? LimitError : byKind[report.error?.kind] ?? EvalError)(report, log);

/** The JSON-RPC error for what a tool threw. */
export const rpcErrorOf = (thrown) => {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const data = { name: error.name === "Error" ? "ApiError" : String(error.name) };
  data.transient = error instanceof ToolError ? error.transient : error.name === "TimeoutError";
  if (error instanceof ToolError && error.code !== undefined) data.code = String(error.code);
  return { code: -32000, message: String(error.message) || data.name, data };
};
