// args: --stack-kib 512
// expect: limit stack
function down() { return down() + 1; }
down();
