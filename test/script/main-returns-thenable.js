// expect: value "from then"
const main = () => ({ then(resolve) { resolve("from then"); } });
