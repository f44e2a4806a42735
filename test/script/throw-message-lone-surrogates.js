// expect: error script Error
// message: before � after
throw new Error("before \ud800 after");
