// JavaScript values as JSON and back, with the forms of docs/host.md for what JSON
// lacks.

const formKey = /^\$+(?:bytes|bigint|date)$/;

const prepareObject = (value, depth) => {
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) {
    const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
    return { $bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64") };
  }
  if (value instanceof Date) {
    const ms = value.getTime();
    return { $date: Number.isNaN(ms) ? null : ms };
  }
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, (item) => prepare(item, depth + 1));
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (typeof value.toJSON === "function") return prepare(value.toJSON(), depth + 1);
  const made = {};
  for (const [key, item] of value instanceof Map ? value : Object.entries(value))
    if (item !== undefined)
      Object.defineProperty(made, formKey.test(key) ? `$${key}` : key, {
        value: prepare(item, depth + 1),
        enumerable: true,
        configurable: true,
        writable: true,
      });
  return made;
};

const prepare = (value, depth = 0) => {
  if (depth > 256) throw new RangeError("the value nests deeper than 256 levels");
  switch (typeof value) {
    case "bigint":
      return { $bigint: String(value) };
    case "function":
    case "symbol":
      throw new TypeError(`a ${typeof value} cannot be sent to a script`);
    case "object":
      return value === null ? null : prepareObject(value, depth);
    case "undefined":
      return null;
    default:
      return value;
  }
};

/** JSON text for a value. */
export const encode = (value) => JSON.stringify(prepare(value));

const form = (key, content) => {
  if (key === "$bytes" && typeof content === "string") {
    const bytes = Buffer.from(content, "base64");
    return bytes.toString("base64") === content ? new Uint8Array(bytes) : undefined;
  }
  if (key === "$bigint" && typeof content === "string" && /^-?\d+$/.test(content)) return BigInt(content);
  if (key === "$date" && (content === null || typeof content === "number")) {
    const date = new Date(content === null ? NaN : content);
    return content === null || !Number.isNaN(date.getTime()) ? date : undefined;
  }
  return undefined;
};

/** Replaces the forms in what JSON.parse() gave. */
export const decode = (value) => {
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value);
  const found = entries.length === 1 ? form(...entries[0]) : undefined;
  if (found !== undefined) return found;
  return Object.fromEntries(
    entries.map(([key, item]) => [key.startsWith("$$") && formKey.test(key) ? key.slice(1) : key, decode(item)]),
  );
};
