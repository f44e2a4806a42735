// expect: value "undefined"
export default typeof this;
