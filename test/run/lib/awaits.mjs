export const value = await new Promise((done) => setTimeout(done, 2, 'waited'));
