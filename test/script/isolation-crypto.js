// expect: varies
// A copy of a template shares no secret with another one.
crypto.getRandomValues(new Uint32Array(4));
