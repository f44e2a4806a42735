// expect: error script RangeError
// message: do not look
({ get a() { throw new RangeError("do not look"); } });
