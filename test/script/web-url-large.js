// expect: value [2000012,"xn--",1,200000]
// seconds: 20
// Long ones take time in proportion.
const path = new URL("https://h.org/" + "a/../".repeat(400000));
const long = new URL("https://h.org/" + "x".repeat(1999998));
const host = URL.parse("https://" + "ü".repeat(1000) + "/");
const query = new URLSearchParams("a=b&".repeat(200000));
[long.href.length, host.host.slice(0, 4), path.pathname.length, query.size];
