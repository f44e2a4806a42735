console.log('exiting');
process.exit(4);
