// expect: value "done"
// not: fired
// seconds: 2
// leaks: timer*2
setTimeout(() => console.log("fi" + "red"), 1500);
setInterval(() => console.log("fi" + "red"), 1500);
"done";
