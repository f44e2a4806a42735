// expect: value {"list":[null]}
({ gone: { toJSON() {} }, list: [{ toJSON() {} }] });
