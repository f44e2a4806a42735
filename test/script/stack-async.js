// expect: limit stack
async function down() { return await down(); }
await down();
