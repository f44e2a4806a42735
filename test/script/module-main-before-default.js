// expect: value "main"
export const main = () => "main";
export default () => "default";
