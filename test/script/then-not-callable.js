// expect: value {"then":5}
({ then: 5 });
