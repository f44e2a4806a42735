// expect: error script RangeError
const main = () => ({ then() { throw new RangeError("from main's then"); } });
