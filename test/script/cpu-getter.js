// args: --cpu-ms 200
// expect: limit cpu
// A getter that runs when the value is encoded.
({ get a() { for (;;); } });
