// args: --memory-mib 16
// expect: limit memory
JSON.parse("[" + "[],".repeat(500000) + "[]]").length;
