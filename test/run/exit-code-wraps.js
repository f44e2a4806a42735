// status: 255
process.exitCode = -1;
