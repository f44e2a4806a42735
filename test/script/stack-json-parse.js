// expect: value ["RangeError","RangeError"]
const deep = (open, close) => {
  try {
    JSON.parse(open.repeat(100000) + "1" + close.repeat(100000));
    return "parsed";
  } catch (error) {
    return error.name;
  }
};
[deep("[", "]"), deep('{"a":', "}")];
