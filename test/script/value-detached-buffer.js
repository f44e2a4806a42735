// expect: error script TypeError
// message: detached
const bytes = new Uint8Array(4);
bytes.buffer.transfer();
({ bytes });
