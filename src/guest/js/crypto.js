// crypto: the host's randomness, and nothing of crypto.subtle.

const RANDOM_BYTES_MAX = 65536;

const isIntegerArray = (value) => {
  if (!isObject(value)) return false;
  const tag = TypedArrayTag(value);
  return tag !== undefined && !StringStartsWith(tag, "Float");
};

const crypto = {
  getRandomValues(array) {
    needArguments(arguments.length, 1, "getRandomValues");
    if (!isObject(array)) throw new TypeError("array must be a typed array");
    if (!isIntegerArray(array))
      throw new DOMException("array must be a typed array of integers", "TypeMismatchError");
    const length = TypedArrayByteLength(array);
    if (length > RANDOM_BYTES_MAX)
      throw new DOMException(
        `${length} bytes were asked for; at most ${RANDOM_BYTES_MAX} are given at once`,
        "QuotaExceededError",
      );
    const bytes = new Uint8Array(TypedArrayBuffer(array), TypedArrayByteOffset(array), length);
    TypedArraySet(bytes, randomBytes(length));
    return array;
  },
  randomUUID() {
    return randomUuid();
  },
};
