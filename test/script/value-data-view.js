// expect: error script TypeError
// message: DataView
({ view: new DataView(new ArrayBuffer(4)) });
