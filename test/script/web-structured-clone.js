// expect: value {"map":{"k":[1]},"set":[1],"date":"1970-01-01T00:00:00.000Z","same":true,"apart":true,"bytes":"AQI=","regexp":"/x/gi","error":["RangeError","bad"],"big":7}
const source = {
  map: new Map([["k", [1]]]),
  set: new Set([1]),
  date: new Date(0),
  bytes: new Uint8Array([1, 2]),
  regexp: /x/gi,
  error: new RangeError("bad"),
  big: 7n,
};
source.self = source;
const copy = structuredClone(source);
({
  map: copy.map,
  set: copy.set,
  date: copy.date,
  same: copy.self === copy,
  apart: copy !== source && copy.map !== source.map,
  bytes: copy.bytes,
  regexp: String(copy.regexp),
  error: [copy.error.name, copy.error.message],
  big: copy.big,
});
