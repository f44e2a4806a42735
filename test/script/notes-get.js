// args: --allow notes.get
// expect: value {"id":"apple","title":"Apple pie","body":"Cut apples. Bake.","tags":["food","sweet"],"created":"2026-01-02T03:04:05.006Z","updated":"2026-01-02T03:04:05.006Z"}
// operations: created=1 fulfilled=1 rejected=0 concurrent_max=1
await notes.get("apple");
