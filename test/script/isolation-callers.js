// expect: value ["TypeError","TypeError","TypeError"]
// No way from a function to its callers.
function strict() {
  "use strict";
  return strict.caller;
}
function callee() {
  "use strict";
  return arguments.callee;
}
[strict, callee, () => Function.prototype.caller].map((attempt) => {
  try {
    return typeof attempt();
  } catch (error) {
    return error.name;
  }
});
