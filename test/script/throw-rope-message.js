// expect: error script Error
// A message put together of a million pieces.
let message = "";
for (let i = 0; i < 1e6; i++) message += "ab";
throw new Error(message);
