// expect: error script TypeError
new AbortSignal();
