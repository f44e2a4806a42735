// expect: value ["https://example.org/b?q=1&r=a+b#h","https://example.org","q=1&r=a+b",2,"TypeError",false]
const url = new URL("../b?q=1#h", "https://EXAMPLE.org:443/a/c");
url.searchParams.append("r", "a b");
let name;
try { new URL("nope"); } catch (error) { name = error.name; }
[url, url.origin, url.searchParams.toString(), url.searchParams.size, name, URL.canParse("//x")];
