// expect: error script TypeError
queueMicrotask("text");
