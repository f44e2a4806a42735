// expect: value {"a":"a","list":["0 string"]}
({ a: { toJSON: (key) => key }, list: [{ toJSON: (key) => `${key} ${typeof key}` }] });
