// URLSearchParams by the URL standard.
const text = (init) => new URLSearchParams(init).toString();
same(text(), "");
same(text(undefined), "");
same(text(null), "null=");
same(text("?a=b&c"), "a=b&c=");
same(text("??a=b"), "%3Fa=b");
same(text("a=b+c%20d&&=&e"), "a=b+c+d&=&e=");
same(text("a=%c3%a9%zz"), "a=%C3%A9%25zz");
same(new URLSearchParams("a=%ff%fe").get("a"), "\ufffd\ufffd");
same(new URLSearchParams("%ef%bb%bfa=1").get("\ufeffa"), "1");
same(text("a=\u0000 *-._~'"), "a=%00+*-._%7E%27");
same(text("\ud800=x"), "%EF%BF%BD=x");
same(text([["a", 1], new Set(["b", "c"])]), "a=1&b=c");
same(text(new Map([["m", true]])), "m=true");
same(text({ a: 1, b: null }), "a=1&b=null");
same(text({ "\ud835x": "1", xx: "2", "\ud83dx": "3" }), "%EF%BF%BDx=3&xx=2");
same(text(new URLSearchParams("x=y")), "x=y");
same(text(Object.create({ inherited: 1 })), "");
throws(() => new URLSearchParams([["a"]]), "TypeError");
throws(() => new URLSearchParams([["a", "b", "c"]]), "TypeError");
throws(() => new URLSearchParams([5]), "TypeError");
throws(() => new URLSearchParams({ [Symbol("s")]: 1 }), "TypeError");
throws(() => new URLSearchParams(Symbol("s")), "TypeError");
throws(() => new URLSearchParams({ [Symbol.iterator]: 1 }), "TypeError");
throws(() => URLSearchParams("a"), "TypeError");

const params = new URLSearchParams("a=1&b=2&a=3");
same(params.size, 3);
same(params.get("a"), "1");
same(params.get("x"), null);
same(params.getAll("a").join(), "1,3");
same(params.getAll("x").length, 0);
same(params.has("a", "3"), true);
same(params.has("a", "4"), false);
same(params.has("a", undefined), true);
params.set("a", 9);
same(`${params}`, "a=9&b=2");
params.set("c", "\u00e9");
params.append("b", "2");
params.append("b", "5");
params.delete("b", "2");
same(`${params}`, "a=9&c=%C3%A9&b=5");
params.delete("a");
same(`${params}`, "c=%C3%A9&b=5");
throws(() => params.append("a"), "TypeError");
throws(() => params.get(), "TypeError");
throws(() => URLSearchParams.prototype.get.call({}, "a"), "TypeError");
throws(() => params.forEach(), "TypeError");
throws(() => params.forEach(5), "TypeError");

// Sorting goes by UTF-16 units and is stable.
const sorted = (init) => {
  const list = new URLSearchParams(init);
  list.sort();
  return [...list].map((pair) => pair.join("")).join(" ");
};
same(sorted("z=b&a=b&z=a&a=a"), "ab aa zb za");
same(sorted("\ufffd=1&\ufffc=2&\ud83c\udf08=3&\ud83c\udf09=4"),
  "\ud83c\udf083 \ud83c\udf094 \ufffc2 \ufffd1");
same(sorted("e&d&c&b&a&\u00e9&bbb&bb&aaa&aa"), "a aa aaa b bb bbb c d e \u00e9");
same(sorted(""), "");

// Iterators are live, and their prototype is the standard's.
const live = new URLSearchParams("a=1&b=2&c=3");
const seen = [];
for (const [name] of live) {
  seen.push(name);
  if (name === "a") live.delete("b");
}
same(seen.join(), "a,c");
const iterator = live.keys();
same(Object.prototype.toString.call(iterator), "[object URLSearchParams Iterator]");
same(Object.getPrototypeOf(Object.getPrototypeOf(iterator)),
  Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())));
same([...live.keys()].join(), "a,c");
same([...live.values()].join(), "1,3");
same(URLSearchParams.prototype[Symbol.iterator], URLSearchParams.prototype.entries);
throws(() => iterator.next.call({}), "TypeError");
const visited = [];
live.forEach(function (value, name, all) {
  visited.push(this.x + name + value + (all === live));
}, { x: ">" });
same(visited.join(), ">a1true,>c3true");
same(Object.keys(URLSearchParams.prototype).join(),
  "append,delete,get,getAll,has,set,size,sort,toString,entries,forEach,keys,values");
