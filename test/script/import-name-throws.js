// expect: value "RangeError"
await import({ toString() { throw new RangeError("no name"); } }).catch((error) => error.name);
