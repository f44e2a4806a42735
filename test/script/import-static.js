// expect: error script
// message: fs
import fs from "fs";
export default typeof fs;
