// expect: value ["ReferenceError",2]
// eval and Function see the script's globals and nothing of the code around the engine.
const secret = 1;
{
  let hidden = 2;
  try {
    new Function("return hidden")();
  } catch (error) {
    [error.name, eval("hidden")];
  }
}
