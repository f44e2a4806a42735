// expect: error script
// message: ./other.mjs
import "./other.mjs";
export default 1;
