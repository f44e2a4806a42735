console.log('before');
throw new Error('at load');
