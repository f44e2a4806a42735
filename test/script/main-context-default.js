// expect: value {}
function main(context) { return context; }
