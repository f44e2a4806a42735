// expect: limit stack
// seconds: 10
function down() { try { return down(); } finally { null; } }
down();
