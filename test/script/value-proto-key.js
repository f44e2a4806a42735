// expect: value {"__proto__":1}
JSON.parse('{"__proto__":1}');
