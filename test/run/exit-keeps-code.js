// status: 3
process.exitCode = 3;
process.exit();
