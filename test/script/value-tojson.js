// expect: value {"key":"","n":3}
({ n: 3, toJSON(key) { return { key, n: this.n }; } });
