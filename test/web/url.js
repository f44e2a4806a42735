// URL beyond what the cases of Web Platform Tests look at.
const url = new URL("https://u:p@h.example:8080/p?q=1#f");
same(`${url}`, "https://u:p@h.example:8080/p?q=1#f");
same(JSON.stringify({ url }), '{"url":"https://u:p@h.example:8080/p?q=1#f"}');
same(Object.prototype.toString.call(url), "[object URL]");
same(url.searchParams, url.searchParams);
throws(() => new URL("nope"), "TypeError");
throws(() => new URL(), "TypeError");
throws(() => new URL("/a", "nope"), "TypeError");
throws(() => URL("https://a"), "TypeError");
throws(() => URL.parse(), "TypeError");
throws(() => new URL(Symbol("s")), "TypeError");
throws(() => { url.href = "nope"; }, "TypeError");
same(url.href, "https://u:p@h.example:8080/p?q=1#f");
same(URL.parse("nope"), null);
assert(URL.parse("a", "https://b/") instanceof URL, "parse");
same(URL.canParse("a", "https://b/"), true);
same(new URL({ toString: () => "https://x/" }).href, "https://x/");
same(new URL("https://x/\ud800").href, "https://x/%EF%BF%BD");
same(new URL(new URL("/b", url), undefined).pathname, "/b");

// URL and parameters follow each other.
url.searchParams.append("r", "a b&");
same(url.search, "?q=1&r=a+b%26");
const { searchParams } = url;
url.search = "?x=%20y";
same(searchParams.get("x"), " y");
same(url.href, "https://u:p@h.example:8080/p?x=%20y#f");
url.search = "??a";
same(searchParams.get("?a"), "");
url.search = "x=1";
searchParams.delete("x");
same(url.href, "https://u:p@h.example:8080/p#f");
url.href = "https://other/?k=v";
same(searchParams.get("k"), "v");
same(url.searchParams, searchParams);
searchParams.sort();
same(url.search, "?k=v");
url.search = "";
same(searchParams.size, 0);
const loose = new URLSearchParams(url.searchParams);
loose.append("z", 1);
same(url.href, "https://other/");

// Each object is a URL of its own, and others are none.
same(new URL(url).href, url.href);
throws(() => Object.getOwnPropertyDescriptor(URL.prototype, "href").get.call({}), "TypeError");
same(Reflect.set(url, "origin", "https://x"), false);
same(Object.keys(URL.prototype).join(),
  "href,origin,protocol,username,password,host,hostname,port,pathname,search,searchParams,hash," +
    "toString,toJSON");
same(Object.keys(URL).join(), "parse,canParse");
same(URL.length, 1);
same(Object.getOwnPropertyDescriptor(globalThis, "URL").enumerable, false);
