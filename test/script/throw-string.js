// expect: error script
// message: just text
throw "just text";
