// expect: value "renamed"
const inner = () => "renamed";
export { inner as main };
