// TextEncoder and TextDecoder; the transcoding itself is native.

const encoderBrand = newBrand();
const decoderBrand = newBrand();

const encodingNames = ["utf-8", "utf-16le", "utf-16be", "windows-1252"];
ReflectSetPrototypeOf(encodingNames, null);

// Labels of each encoding, each between spaces.
const encodingLabels = [
  " unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8 ",
  " csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le ",
  " unicodefffe utf-16be ",
  " ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 " +
    "iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252 ",
];
ReflectSetPrototypeOf(encodingLabels, null);

const isLabelSpace = (text, at) => {
  const code = StringCharCodeAt(text, at);
  return code === 9 || code === 10 || code === 12 || code === 13 || code === 32;
};

const encodingOf = (label) => {
  let from = 0;
  let to = label.length;
  while (from < to && isLabelSpace(label, from)) from++;
  while (to > from && isLabelSpace(label, to - 1)) to--;
  const name = StringToLowerCase(StringSlice(label, from, to));
  for (let i = 0; i < encodingLabels.length; i++)
    if (name !== "" && !StringIncludes(name, " ") && StringIncludes(encodingLabels[i], ` ${name} `))
      return i;
  throw new RangeError(`The encoding ${quote(label, 100)} is not supported`);
};

// The engine's own take a missing argument for the text "undefined".
const engineAtob = globalThis.atob;
const engineBtoa = globalThis.btoa;
const base64Globals = {
  __proto__: null,
  atob: {
    atob(data) {
      needArguments(arguments.length, 1, "atob");
      return engineAtob(data);
    },
  }.atob,
  btoa: {
    btoa(data) {
      needArguments(arguments.length, 1, "btoa");
      return engineBtoa(data);
    },
  }.btoa,
};

class TextEncoder {
  constructor() {
    encoderBrand.stamp(this, true);
  }
  get encoding() {
    encoderBrand.need(this, "TextEncoder");
    return "utf-8";
  }
  encode(input = "") {
    encoderBrand.need(this, "TextEncoder");
    return utf8Encode(`${input}`);
  }
  encodeInto(source, destination) {
    encoderBrand.need(this, "TextEncoder");
    needArguments(arguments.length, 2, "encodeInto");
    const text = `${source}`;
    if (!isObject(destination) || TypedArrayTag(destination) !== "Uint8Array")
      throw new TypeError("destination must be a Uint8Array");
    const pair = utf8EncodeInto(
      text, TypedArrayBuffer(destination), TypedArrayByteOffset(destination),
      TypedArrayByteLength(destination),
    );
    return { read: pair[0], written: pair[1] };
  }
}

const decodeBytes = (state, input, stream) => {
  if (input === undefined) return decode(state, undefined, 0, 0, stream);
  const kind = classOf(input);
  if (kind === "ArrayBuffer") return decode(state, input, 0, ArrayBufferByteLength(input), stream);
  if (kind === "DataView") {
    return ArrayBufferDetached(DataViewBuffer(input))
      ? decode(state, undefined, 0, 0, stream)
      : decode(state, DataViewBuffer(input), DataViewByteOffset(input), DataViewByteLength(input),
               stream);
  }
  if (!isObject(input) || !isTypedArray(input))
    throw new TypeError("input must be an ArrayBuffer or a view on one");
  return decode(state, TypedArrayBuffer(input), TypedArrayByteOffset(input),
                TypedArrayByteLength(input), stream);
};

class TextDecoder {
  constructor(label = "utf-8", options = undefined) {
    const encoding = encodingOf(`${label}`);
    const { fatal, ignoreBOM } = optionsFrom(options, "options");
    decoderBrand.stamp(this, {
      __proto__: null, encoding: encodingNames[encoding], fatal: !!fatal, ignoreBOM: !!ignoreBOM,
      bytes: decoderState(encoding, !!fatal, !!ignoreBOM),
    });
  }
  get encoding() {
    return decoderBrand.need(this, "TextDecoder").encoding;
  }
  get fatal() {
    return decoderBrand.need(this, "TextDecoder").fatal;
  }
  get ignoreBOM() {
    return decoderBrand.need(this, "TextDecoder").ignoreBOM;
  }
  decode(input = undefined, options = undefined) {
    const { bytes } = decoderBrand.need(this, "TextDecoder");
    const { stream } = optionsFrom(options, "options");
    return decodeBytes(bytes, input, !!stream);
  }
}
