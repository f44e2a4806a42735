// expect: value {"when":null}
({ when: new Date(NaN) });
