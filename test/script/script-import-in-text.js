// expect: value "import x from 'y'; export default 1"
// Only a top-level import or export makes a module: this stays a script.
/* import x from "y"; */
var sloppy = (function () { return typeof this; })();
sloppy === "object" ? "import x from 'y'; export default 1" : sloppy;
