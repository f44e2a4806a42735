// count, countReset, time, timeLog, timeEnd.
console.count();
console.count("x");
console.count();
console.countReset();
console.count();
console.countReset("none");
same(host.lines().join("|"), "1 default: 1|1 x: 1|1 default: 2|1 default: 1|2 Count for 'none' does not exist");
console.time("t");
console.time("t");
host.elapse(12.5);
console.timeLog("t", "so far", { a: 1 });
host.elapse(2000);
console.timeEnd("t");
console.timeEnd("t");
same(host.lines().join("|"),
     "2 Label 't' already exists for console.time()|1 t: 12.500ms so far { a: 1 }|" +
     "1 t: 2.013s|2 No such label 't' for console.timeEnd()");
console.count(Symbol("s"));
console.count({ toString() { throw 1; } });
same(host.lines()[0], "1 Symbol(s): 1");
