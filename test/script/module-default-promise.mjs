// expect: value 8
export default Promise.resolve(8);
