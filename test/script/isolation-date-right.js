// expect: value true
// The clock is the world's, in UTC.
const now = Date.now();
now > Date.UTC(2024, 0, 1) &&
  now < Date.UTC(2100, 0, 1) &&
  new Date(0).getTimezoneOffset() === 0 &&
  new Date(0).getHours() === 0;
