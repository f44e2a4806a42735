// expect: value "refused"
export default await import("os").catch(() => "refused");
