/* Deferred as two guests see it: which functions are sent and which are refused, what
 * crosses, progress, cancellation, and what is left behind, which is nothing. */
#include "unit/guests_fixture.h"

/* ---- functions that are sent ---- */

typedef struct sent {
  const char *before, *function, *arguments, *value;
} sent;

static const sent functions[] = {
    {"", "() => 42 * 2", "", "84"},
    {"", "() => {}", "", "null"},
    {"", "function (a, b) { return a + b }", ", 1, 2", "3"},
    {"", "(a, b = a * 2, ...rest) => [a, b, rest]", ", 1, undefined, 3, 4", "[1,2,[3,4]]"},
    {"", "({ a, b: [c] }) => a + c", ", { a: 1, b: [2] }", "3"},
    {"", "async x => { await null; return x * 2 }", ", 4", "8"},
    {"", "async x => (await op(x)) + 1", ", 4", "5"},
    {"", "async () => { await sleep(1); return 'slept' }", "", "\"slept\""},
    {"", "function () { return arguments.length }", ", 1, 2, 3", "3"},
    {"", "function () { return this === globalThis }", "", "true"},
    {"", "function () { 'use strict'; return this }", "", "null"},
    {"", "({ m(x) { return x + 1 } }).m", ", 1", "2"},
    {"", "({ async m(x) { return x + 1 } }).m", ", 1", "2"},
    {"", "Object.getOwnPropertyDescriptor({ get x() { return 7 } }, 'x').get", "", "7"},
    {"const o = { 'odd name'(x) { return x } };", "o['odd name']", ", 1", "1"},
    {"class A { static s(x) { return x * 3 } m(x) { return x * 5 } }", "A.s", ", 2", "6"},
    {"class A { static s(x) { return x * 3 } m(x) { return x * 5 } }", "new A().m", ", 2", "10"},
    {"", "x => [x].map(y => y + 1).reduce((a, b) => a + b)", ", 1", "2"},
    {"", "x => { const add = y => x + y; return add(1) }", ", 1", "2"},
    {"", "x => { let n = 0; for (let i = 0; i < x; i++) n += i; return n }", ", 10", "45"},
    {"", "x => { class P { #v = x; get v() { return this.#v } } return new P().v }", ", 3", "3"},
    {"",
     "x => { class P { m() { return x } } class Q extends P { m() { return super.m() + 1 } }"
     " return new Q().m() }",
     ", 3", "4"},
    {"", "x => { function* g() { yield x; yield x + 1 } return [...g()] }", ", 3", "[3,4]"},
    {"", "x => { try { throw new Error('e') } catch (e) { return e.message + x } }", ", 1",
     "\"e1\""},
    {"", "x => { switch (x) { case 1: return 'one'; default: return 'other' } }", ", 1", "\"one\""},
    {"", "x => `<${x}>`", ", 1", "\"<1>\""},
    {"", "x => String.raw`a\\n${x}`", ", 1", "\"a\\\\n1\""},
    {"", "x => { label: for (const y of x) { if (y > 1) break label } return x.length }",
     ", [1, 2]", "2"},
    {"", "async x => { async function* g() { yield x } for await (const y of g()) return y }",
     ", 4", "4"},
    {"", "x => /a(b+)c/.exec(x)[1]", ", 'abbc'", "\"bb\""},
    {"", "x => x?.y?.z ?? 'none'", ", { y: {} }", "\"none\""},
    {"", "x => JSON.stringify(Math.max(...x))", ", [1, 3, 2]", "\"3\""},
    {"", "() => 12345678901234567890n * 2n", "", "24691357802469135780"},
    {"", "() => [NaN, undefined, Infinity, -0]", "", "[null,null,null,0]"},
    {"", "() => new TextEncoder().encode('a')", "", "\"YQ==\""},
    {"", "() => new URL('http://a/b').pathname", "", "\"/b\""},
    {"", "async () => { const l = []; for await (const x of [1, 2]) l.push(x); return l }", "",
     "[1,2]"},
    {"", "() => new Promise(resolve => setTimeout(resolve, 5, 'late'))", "", "\"late\""},
    {"", "() => ({ then(resolve) { resolve('thenable') } })", "", "\"thenable\""},
    {"", "() => Promise.all([op(1), op(2)])", "", "[1,2]"},
    {"", "() => typeof nothingOfThatName", "", "\"undefined\""},
    {"", "() => { onlyWritten = 1; return 'ok' }", "", "\"ok\""},
    {"", "o => { with (o) { return member } }", ", { member: 5 }", "5"},
    {"", "() => (0, eval)('1 + 1')", "", "2"},
    {"", "() => new Function('a', 'return a')(3)", "", "3"},
    {"", "x => new Date(x)", ", 0", "\"1970-01-01T00:00:00.000Z\""},
    /* They call themselves. */
    {"function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }", "fib", ", 15", "610"},
    {"const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);", "fib", ", 15", "610"},
    {"",
     "(function () { function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }"
     " return fib })()",
     ", 15", "610"},
    {"", "(() => { const down = async n => n ? down(n - 1) : 'down'; return down })()", ", 3",
     "\"down\""},
    {"", "function self(n) { return n ? self(n - 1) : 'self' }", ", 3", "\"self\""},
    {"const one = function two(n) { return n ? one(n - 1) : two.name };", "one", ", 2", "\"two\""},
    {"function deep(n) { return [n].map(x => x ? deep(x - 1) : 'deep')[0] }", "deep", ", 3",
     "\"deep\""},
};

static void functions_are_sent(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    const sent *f = &functions[i];
    char source[1000];
    snprintf(source, sizeof source, "%s\nawait new Deferred(%s%s)", f->before, f->function,
             f->arguments);
    gives(source, f->value);
  }
}

/* The same in a module, where what is at the top is captured and not global. */
static void functions_of_modules(void **state) {
  (void)state;
  pair p;
  pair_open(&p);
  pair_start(&p.main, WIRE_START,
             "const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);\n"
             "export default await new Deferred(fib, 10)",
             true);
  assert_true(pair_run(&p));
  pair_expect(&p, "module", "55");
  assert_string_equal(p.function_name, "fib");
  assert_string_equal(p.file, "test.js");
  assert_string_equal(p.source, "n => n < 2 ? n : fib(n - 1) + fib(n - 2)");
  pair_close(&p);
}

/* ---- refusals ---- */

static const char *const refusals[][2] = {
    {"new Deferred()", "Deferred: give it a function to run"},
    {"class Mine extends Deferred {} new Mine(() => 1)",
     "Deferred cannot be extended; write a function that makes one"},
    {"Reflect.construct(Deferred, [() => 1], Promise)",
     "Deferred cannot be extended; write a function that makes one"},
    {"new Deferred(42)", "Deferred: the first argument must be a function, not a number"},
    {"new Deferred('x => x')", "Deferred: the first argument must be a function, not a string"},
    {"new Deferred(null)", "Deferred: the first argument must be a function, not null"},
    {"new Deferred({})", "Deferred: the first argument must be a function, not an object"},
    {"new Deferred(Math.max)",
     "Deferred: function 'max' is a native function; call it in a function of your own"},
    {"new Deferred((x => x).bind(null, 7))",
     "Deferred: function 'bound ' is a bound function; pass the function itself and its arguments "
     "to Deferred"},
    {"new Deferred(class A { })",
     "Deferred: function 'A' is a class; pass a function that declares it and uses it"},
    {"new Deferred(class A { constructor(x) { this.x = x } })",
     "Deferred: function 'A' is a class; pass a function that declares it and uses it"},
    {"new Deferred(class A extends Array { })",
     "Deferred: function 'A' is a class; pass a function that declares it and uses it"},
    {"new Deferred(function* g() { yield 1 })",
     "Deferred: function 'g' is a generator; pass a function that returns all of its values"},
    {"new Deferred(async function* () { yield 1 })",
     "Deferred: function is a generator; pass a function that returns all of its values"},
    {"new Deferred({ m() { return super.toString() } }.m)",
     "Deferred: function 'm' uses 'super' of its surroundings; pass what it needs as an argument"},
    {"new Deferred({ m() { return () => super.toString() } }.m())",
     "Deferred: function uses 'super' of its surroundings; pass what it needs as an argument"},
    {"new Deferred((() => { class B { #p = 1; get() { return this.#p } } return new B().get })())",
     "Deferred: function uses the private name '#p' of its class; pass its value as an argument"},
    {"new Deferred((() => { class B { #p = 1; has(o) { return #p in o } } return new B().has })())",
     "Deferred: function uses the private name '#p' of its class; pass its value as an argument"},
    {"new Deferred(() => this)",
     "Deferred: function uses 'this' of its surroundings; pass what it needs as an argument"},
    {"new Deferred(function () { return () => () => this }.call(1))",
     "Deferred: function uses 'this' of its surroundings; pass what it needs as an argument"},
    {"new Deferred(x => eval('x'))",
     "Deferred: function calls eval directly, which may name anything of its surroundings; write "
     "that code out"},
    {"new Deferred(x => () => eval('x'))",
     "Deferred: function calls eval directly, which may name anything of its surroundings; write "
     "that code out"},
    {"new Deferred(new Proxy(() => 1, {}))",
     "Deferred: function is a Proxy; pass the function behind it"},
    {"const rate = 2; new Deferred(x => x * rate)",
     "Deferred: function uses 'rate' from its surroundings; pass it as an argument"},
    {"(rate => new Deferred(x => x * rate))(2)",
     "Deferred: function uses 'rate' from its surroundings; pass it as an argument"},
    {"(function () { return new Deferred(() => arguments) })()",
     "Deferred: function uses 'arguments' from its surroundings; pass it as an argument"},
    {"let a = 1, b = 2; var c = 3; new Deferred(() => a + b + c)",
     "Deferred: function uses 'a', 'b' and 'c' from its surroundings; pass them as arguments"},
    {"let a = 1; { let b = 2; new Deferred(() => [1].map(() => a + b)) }",
     "Deferred: function uses 'a' and 'b' from its surroundings; pass them as arguments"},
    {"let n = 0; new Deferred(() => { n++ })",
     "Deferred: function uses 'n' from its surroundings; pass it as an argument"},
    {"let n = 0; new Deferred(() => { n = 1 })",
     "Deferred: function uses 'n' from its surroundings; pass it as an argument"},
    {"function helper() {} new Deferred(() => helper())",
     "Deferred: function uses 'helper' from its surroundings; pass it as an argument"},
    {"class Helper {} new Deferred(() => new Helper())",
     "Deferred: function uses 'Helper' from its surroundings; pass it as an argument"},
    {"globalThis.mine = 1; new Deferred(() => typeof mine)",
     "Deferred: function uses 'mine' from its surroundings; pass it as an argument"},
    {"globalThis.parseInt = () => 1; new Deferred(() => parseInt('7'))",
     "Deferred: function uses 'parseInt' from its surroundings; pass it as an argument"},
    {"const Math = {}; new Deferred(() => Math.max(1))",
     "Deferred: function uses 'Math' from its surroundings; pass it as an argument"},
    {"delete globalThis.URL; new Deferred(() => new URL('a:b'))",
     "Deferred: function uses 'URL' from its surroundings; pass it as an argument"},
    {"new Deferred(() => context)",
     "Deferred: function uses 'context' from its surroundings; pass it as an argument"},
    {"new Deferred(() => nothingOfThatName)",
     "Deferred: function uses 'nothingOfThatName', which is not defined; pass it as an argument"},
    {"new Deferred(() => nothing1 + nothing2())",
     "Deferred: function uses 'nothing1' and 'nothing2', which are not defined; pass them as "
     "arguments"},
    {"new Deferred(() => { undeclared = 1; return undeclared })",
     "Deferred: function uses 'undeclared', which is not defined; pass it as an argument"},
    {"new Deferred(() => require('fs'))",
     "Deferred: function uses 'require', which is not available; use await import('./file.js') in "
     "it"},
    {"function even(n) { return n ? odd(n - 1) : true }"
     "function odd(n) { return n ? even(n - 1) : false } new Deferred(even, 3)",
     "Deferred: function uses 'odd' from its surroundings; pass it as an argument"},
    {"const l = Array.from('abcdefghijkl'); const fn = new Function(...l, 'return () => ' + "
     "l.join('+'))(1); new Deferred(fn)",
     "Deferred: function uses 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' and 4 more from its "
     "surroundings; pass them as arguments"},
    {"Deferred(() => 1)", "must be called with new"},
    {"Deferred.run()", "Deferred.run: give it a function to run"},
    {"Deferred.run(() => 1, 5)", "Deferred.run: the arguments must be an array"},
    {"Deferred.run(() => 1, [], 5)", "options must be an object {timeout, signal, priority}"},
    {"Deferred.run(() => 1, [], { timeout: -1 })",
     "options.timeout must be a number of milliseconds, 0 or more"},
    {"Deferred.run(() => 1, [], { runTimeout: 'long' })",
     "options.runTimeout must be a number of milliseconds, more than 0"},
    {"Deferred.run(() => 1, [], { memoryMib: 0 })",
     "options.memoryMib must be a number of mebibytes, more than 0"},
    {"Deferred.run(() => 1, [], { affinity: 5 })", "options.affinity must be a string"},
    {"Deferred.run(() => 1, [], { isolated: 1 })", "options.isolated must be true or false"},
    {"Deferred.run(() => 1, [], { signal: {} })", "options.signal must be an AbortSignal"},
    {"Deferred.run(() => 1, [], { cache: true, isolated: true })",
     "options.cache goes with timeout, signal and priority only"},
    {"Deferred.progress(1)", "Deferred.progress is called by the function that runs"},
    {"Deferred.prototype.cancel()", "Deferred.prototype.cancel: this is no Deferred"},
};

/* Each is thrown on the spot, is a TypeError, and nothing is sent. */
static void refused_at_construction(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    pair p;
    char source[1000], value[1000];
    snprintf(source, sizeof source,
             "let told; try { (0, eval)(%c%s%c); told = 'nothing' } catch (e) {"
             " told = e instanceof TypeError ? e.message : String(e) } told",
             '`', refusals[i][0], '`');
    snprintf(value, sizeof value, "\"%s\"", refusals[i][1]);
    pair_open(&p);
    pair_script(&p, source);
    pair_expect(&p, source, value);
    assert_int_equal(p.codes, 0);
    assert_int_equal(p.calls, 0);
    pair_close(&p);
  }
}

/* What a script declares at its top is global, but only here. */
static void top_level_names_of_scripts(void **state) {
  (void)state;
  static const char *const declared[] = {"const", "let", "var"};
  for (size_t i = 0; i < 3; i++) {
    char source[300];
    snprintf(source, sizeof source,
             "%s rate = 2; let told; try { new Deferred(x => x * rate) } catch (e) {"
             " told = e.message } told",
             declared[i]);
    gives(source, "\"Deferred: function uses 'rate' from its surroundings; pass it as an "
                  "argument\"");
  }
  gives("class Rate {} function rates() {} let told; try { new Deferred(() => [Rate, rates]) }"
        "catch (e) { told = e.message } told",
        "\"Deferred: function uses 'Rate' and 'rates' from its surroundings; pass them as "
        "arguments\"");
  gives("const URL = 1; let told; try { new Deferred(() => URL) } catch (e) { told = e.message }"
        "told",
        "\"Deferred: function uses 'URL' from its surroundings; pass it as an argument\"");
  gives(
      "let told; try { new Deferred(() => later) } catch (e) { told = e.message } told; let later",
      "\"Deferred: function uses 'later' from its surroundings; pass it as an argument\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(functions_are_sent),
      cmocka_unit_test(functions_of_modules),
      cmocka_unit_test(refused_at_construction),
      cmocka_unit_test(top_level_names_of_scripts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
