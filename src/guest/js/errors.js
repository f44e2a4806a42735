// The typed errors of host calls. Only makeError() brands one as coming from an
// operation; what a guest constructs itself looks alike but carries no brand.

const operationBrand = newBrand();

const setFacts = (error, code, transient, operation) => {
  defineData(error, "code", code, false);
  defineData(error, "transient", transient, false);
  defineData(error, "operation", operation, false);
};

class ApiError extends Error {
  constructor(message = undefined, options = undefined) {
    super(message, options);
    const { code, transient } = optionsFrom(options, "options");
    setFacts(this, code === undefined ? undefined : `${code}`, !!transient, undefined);
  }
}
class NotFoundError extends ApiError {}
class ConflictError extends ApiError {}
class PermissionError extends ApiError {}
class TimeoutError extends ApiError {}
class AbortError extends ApiError {}

const apiErrors = {
  __proto__: null, ApiError, NotFoundError, ConflictError, PermissionError, TimeoutError,
  AbortError,
};
for (const name in apiErrors) defineData(apiErrors[name].prototype, "name", name, false);

const standardErrors = {
  __proto__: null, Error, TypeError, RangeError,
  SyntaxError: globalThis.SyntaxError, ReferenceError: globalThis.ReferenceError,
  EvalError: globalThis.EvalError, URIError: globalThis.URIError,
};

// The prototype of a class is fixed, so this reaches no guest code even when
// the guest has changed what the class inherits from.
const makeError = (name, message, code, transient, operationId, operationName, attempts, stack) => {
  const known = apiErrors[name] || standardErrors[name];
  const text = message === undefined || message === null ? "" : `${message}`;
  const error = ReflectConstruct(Error, [text], known || ApiError);
  if (!known && typeof name === "string" && name !== "") defineData(error, "name", name, false);
  if (typeof stack === "string") defineData(error, "stack", stack, false);
  let operation;
  if (operationId !== undefined && operationId !== null) {
    operation = ObjectFreeze({ id: operationId, name: operationName, attempts });
    operationBrand.stamp(error, {
      __proto__: null, id: operationId, name: operationName, attempts,
    });
  }
  setFacts(error, code === null ? undefined : code, !!transient, operation);
  return error;
};

const errorOperation = (value) => {
  const facts = operationBrand.read(value);
  return facts === undefined ? undefined : [facts.id, facts.name, facts.attempts];
};
