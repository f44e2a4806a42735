// args: --report -
// expect: error script RangeError
// message: in the report
throw new RangeError("in the report");
