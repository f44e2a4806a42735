// expect: value {"a":1,"c":3}
({ get a() { delete this.b; return 1; }, b: 2, c: 3 });
