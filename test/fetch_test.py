#!/usr/bin/env python3
"""Tests of fetch: `vow eval` against real servers on 127.0.0.1.

    fetch_test.py [--scale N] VOW [NAME...]

Every test runs on both engines; names choose some of them. What holds for each
run is checked for each: the report's sums, nothing live, nothing on standard
error beside a value."""
import argparse
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from fetch_server import Server

TESTS = []
CAUGHT = """const caught = async (promise) => {
  try { return await promise; } catch (e) { return [e.name, e.code, e.transient]; }
};\n"""


def test(function):
    TESTS.append(function)
    return function


class Failure(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Failure(message)


class Run:
    def __init__(self, status, value, report, stderr):
        self.status, self.value, self.report, self.stderr = status, value, report, stderr


class Bench:
    """What one test has: a server, and a way to run scripts."""

    def __init__(self, vow, engine, scale):
        self.vow, self.engine, self.scale = vow, engine, scale
        self.folder = tempfile.mkdtemp(prefix="vow-fetch-")
        self.servers = []
        self.server = self.open_server()
        self.base = f"http://127.0.0.1:{self.server.port}"

    def open_server(self, tls=None):
        self.servers.append(Server(tls))
        return self.servers[-1]

    def close(self):
        for server in self.servers:
            server.close()
        shutil.rmtree(self.folder)

    def begin(self, source, *options, allow=None, context=None, env=None):
        allow = f"fetch:127.0.0.1:{self.server.port}" if allow is None else allow
        values = {"base": self.base, **(context or {})}
        words = [self.vow, "eval", "--debug", "--engine", self.engine, "--allow", allow, "--context",
                 json.dumps(values), "--report", "report", *options, "-"]
        with open(os.path.join(self.folder, "script"), "w+", encoding="utf-8") as file:
            file.write(CAUGHT + "const { base } = context;\n" + source)
            file.seek(0)
            return subprocess.Popen(words, cwd=self.folder, stdin=file, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, env={**os.environ, **(env or {})})

    def end(self, process, seconds=20, leaks=()):
        try:
            out, err = process.communicate(timeout=seconds * self.scale)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failure("still running") from None
        err = err.decode(errors="replace")
        need(process.returncode >= 0 and "Sanitizer" not in err and "runtime error" not in err,
             f"status {process.returncode}: {err[:4000]}")
        with open(os.path.join(self.folder, "report"), encoding="utf-8") as file:
            report = json.load(file)
        counts = report["operations"]
        need(counts["live"] == 0 and counts["created"] == counts["fulfilled"] + counts["rejected"]
             + counts["timed_out"] + counts["cancelled"], f"{counts}")
        left = [leak["name"] for leak in report["leaks"]]
        need(left == list(leaks), f"outlived the run: {left}")
        value = json.loads(out) if out else None
        return Run(process.returncode, value, report, err)

    def run(self, source, *options, **more):
        return self.end(self.begin(source, *options, **more))

    def value(self, source, *options, **more):
        run = self.run(source, *options, **more)
        need(run.report["outcome"] == "value", f"{run.report.get('error')} {run.stderr}")
        need(run.stderr == "", f"standard error: {run.stderr[:2000]}")
        return run.value

    def same(self, source, expected, *options, **more):
        value = self.value(source, *options, **more)
        need(value == expected, f"{value!r}\n  expected {expected!r}")

    def codes(self, cases, *options, **more):
        """Each path fails with (name, code)."""
        lines = "".join(f"  await caught(fetch({json.dumps(path)}.replace('BASE', base))),\n"
                        for path, _ in cases)
        values = self.value(f"[\n{lines}]", *options, **more)
        for (path, expected), value in zip(cases, values):
            need(isinstance(value, list) and value[:2] == list(expected),
                 f"{path}: {value}, expected {expected}")


def seen(answer, name):
    return [value for key, value in answer["headers"] if key == name]


# ---- requests ----

@test
def methods(bench):
    value = bench.value("""
      const all = [];
      for (const method of ["GET", "head", "post", "PuT", "delete", "options", "PATCH", "patch", "x-1"]) {
        const r = await fetch(base + "/m?a=1", { method });
        all.push(method === "head" ? [r.status, await r.text(), r.headers.get("content-length") > 0]
                                   : (await r.json()).method);
      }
      all""")
    need(value == ["GET", [200, "", True], "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "patch",
                   "x-1"], f"{value}")


@test
def forbidden_methods(bench):
    bench.same("""
      const all = [];
      for (const method of ["CONNECT", "trace", "TRACK", "", "a b", "GET\\r\\n", "\\u0130"])
        all.push((await caught(fetch(base, { method })))[0]);
      all""", ["TypeError"] * 7)
    need(bench.server.connections == 0, "something was sent")


@test
def request_headers(bench):
    value = bench.value("""
      const headers = new Headers([["X-A", "1"], ["x-a", "2"]]);
      headers.set("Authorization", "Bearer t");
      headers.set("X-Latin", "\\xe9");
      headers.set("X-Empty", "");
      headers.set("Cookie", "c=1");
      (await fetch(base, { headers })).json()""")
    need(seen(value, "x-a") == ["1", "2"] or seen(value, "x-a") == ["1, 2"], f"{value}")
    need(seen(value, "authorization") == ["Bearer t"], f"{value}")
    need(seen(value, "x-latin") == ["\xe9"] and seen(value, "x-empty") == [""], f"{value}")
    need(seen(value, "cookie") == ["c=1"] and seen(value, "user-agent") == ["vow"], f"{value}")
    need(seen(value, "accept") == ["*/*"] and seen(value, "accept-encoding") == ["gzip, deflate"],
         f"{value}")
    need(seen(value, "content-type") == [] and seen(value, "content-length") == [], f"{value}")


@test
def headers_of_the_host(bench):
    value = bench.value("""
      const headers = { Host: "evil", "Content-Length": "99", "Transfer-Encoding": "chunked",
        Connection: "close", Expect: "100-continue", TE: "trailers", Upgrade: "h2c",
        "Proxy-Authorization": "x", "Keep-Alive": "1", Via: "x", "x-kept": "1" };
      (await fetch(base, { method: "POST", body: "abc", headers })).json()""")
    need(seen(value, "host") == [f"127.0.0.1:{bench.server.port}"], f"{value}")
    need(seen(value, "content-length") == ["3"] and seen(value, "x-kept") == ["1"], f"{value}")
    names = {key for key, _ in value["headers"]}
    need(not names & {"transfer-encoding", "expect", "te", "upgrade", "proxy-authorization", "via",
                      "connection", "keep-alive"}, f"{names}")


@test
def header_injection(bench):
    bench.same(r"""
      const all = [];
      for (const [name, value] of [["x", "a\r\nB: c"], ["x", "a\nb"], ["x", "a\0b"], ["x\r\nB", "c"],
                                   ["x:", "c"], ["", "c"], ["x y", "c"], ["x", "\u0100"]])
        all.push((await caught(fetch(base, { headers: [[name, value]] })))[0]);
      all.push((await caught(fetch(base + "/a\r\nX: y", {}).then((r) => r.json()))).target);
      all.push((await caught(fetch(base + "/a b\0c", {}).then((r) => r.json()))).target);
      all""", ["TypeError"] * 8 + ["/aX:%20y", "/a%20b%00c"])


@test
def bodies(bench):
    value = bench.value("""
      const send = async (body, headers = {}) => {
        const r = await (await fetch(base, { method: "POST", body, headers })).json();
        return [r.body, r.headers.find((h) => h[0] === "content-type")?.[1] ?? null,
                r.headers.find((h) => h[0] === "content-length")?.[1] ?? null];
      };
      const bytes = new Uint8Array([0, 1, 2, 255, 13, 10]);
      [await send("h\\u00e9"), await send(bytes), await send(bytes.buffer),
       await send(new DataView(bytes.buffer, 1, 2)), await send(new Uint16Array([0x4142])),
       await send("{}", { "content-type": "application/json" }), await send(""), await send(null),
       await send(undefined), await send(12)]""")
    text, raw = "text/plain;charset=UTF-8", "\0\1\2\xff\r\n"
    need(value == [["h\xc3\xa9", text, "3"], [raw, None, "6"], [raw, None, "6"],
                   ["\1\2", None, "2"], ["BA", None, "2"], ["{}", "application/json", "2"],
                   ["", text, "0"], ["", None, "0"], ["", None, "0"], ["12", text, "2"]],
         f"{value}")


@test
def a_large_body(bench):
    bench.same("""
      const r = await fetch(base, { method: "PUT", body: "x".repeat(1 << 20) });
      (await r.json()).body.length""", 1 << 20)


@test
def get_has_no_body(bench):
    bench.same("""[await caught(fetch(base, { body: "x" })),
      (await caught(fetch(base, { body: "x", method: "HEAD" })))[0]]""",
               [["TypeError", None, None], "TypeError"])


@test
def requests_as_objects(bench):
    bench.same("""
      const request = new Request(base + "/r", { method: "post", body: "once", headers: { a: "b" } });
      const copy = request.clone();
      const first = await (await fetch(request)).json();
      const again = await caught(fetch(request));
      const second = await (await fetch(new Request(copy, { headers: { c: "d" } }))).json();
      [request.method, request.bodyUsed, first.body, again[0], second.body, second.method,
       second.headers.some((h) => h[0] === "a"), second.headers.some((h) => h[0] === "c"),
       copy.bodyUsed, request.signal instanceof AbortSignal]""",
               ["POST", True, "once", "TypeError", "once", "POST", False, True, True, True])


@test
def bad_urls(bench):
    refused_here = [(url, ("TypeError", None)) for url in (
        "", "x", "/x", "//127.0.0.1/", "http://", "http://a b/", "http://user:pw@127.0.0.1/",
        "http://user@127.0.0.1/", "http://:pw@127.0.0.1/", "http://127.0.0.1:99999/",
        "http://1.2.3.4.5/", "http://[::1/", "http://[::1%25lo]/", "http://a%00b/")]
    bench.codes(refused_here + [(url, ("TypeError", "INVALID_URL")) for url in (
        "ftp://127.0.0.1/", "file:///etc/passwd", "data:,x", "blob:http://127.0.0.1/x",
        "http://127.0.0.1:0/")])
    bench.same("""["x", "http://", "http://a b/", "http://u:p@h/", "http://1.2.3.4.5/"].map((url) => {
        try { return new Request(url).url; } catch (e) { return e.name; } })""", ["TypeError"] * 5)


@test
def request_urls(bench):
    """By the URL parser, a fragment too, which is not sent."""
    bench.same(r"""
      const url = new URL(base + "/a/../b c?q=%41 \u00e9#top");
      const request = new Request(url, { method: "POST" });
      const copy = new Request(request, { body: "x" });
      const answer = await fetch(request);
      const echo = await answer.json();
      [new Request(" HTTP://EXAMPLE.org:80\\x\n").url, request.url === url.href,
       copy.url === url.href, request.clone().url === url.href, answer.url === url.href.slice(0, -4),
       echo.target, new Request("http://h/\ud800").url, new Request("ftp://a.example/x").url,
       Response.redirect(" HTTP://A.example/x y").headers.get("location")]""",
               ["http://example.org/x", True, True, True, True, "/b%20c?q=%41%20%C3%A9",
                "http://h/%EF%BF%BD", "ftp://a.example/x", "http://a.example/x%20y"])


@test
def forms(bench):
    """URLSearchParams as a body, however hostile their prototype has become."""
    form = "application/x-www-form-urlencoded;charset=UTF-8"
    bench.same(r"""
      const params = new URLSearchParams({ a: "b c", d: "\u00e9&" });
      URLSearchParams.prototype.toString = () => "wrong";
      const send = async (init) => {
        const r = await (await fetch(base, { method: "POST", ...init })).json();
        return [r.body, r.headers.filter((h) => h[0] === "content-type").map((h) => h[1])];
      };
      [await send({ body: params }), await send({ body: params, headers: { "Content-Type": "x/y" } }),
       await new Response(params).text(), new Response(params).headers.get("content-type")]""",
               [["a=b+c&d=%C3%A9%26", [form]], ["a=b+c&d=%C3%A9%26", ["x/y"]],
                "a=b+c&d=%C3%A9%26", form])


# ---- responses ----

@test
def any_status_is_a_response(bench):
    bench.same("""
      const facts = async (path) => {
        const r = await fetch(base + path);
        return [r.status, r.ok, r.statusText, await r.text(), r.type, r.redirected, r.url === base + path];
      };
      [await facts("/503"), await facts("/404"), await facts("/204")]""",
               [[503, False, "Service Unavailable", "later", "basic", False, True],
                [404, False, "Not Found", '{"gone":true}', "basic", False, True],
                [204, True, "No Content", "", "basic", False, True]])
    run = bench.run("await fetch(base + '/503'); 1")
    need(run.report["operations"]["fulfilled"] == 1, f"{run.report}")


@test
def response_headers(bench):
    bench.same("""
      const { headers, statusText } = await fetch(base + "/headers");
      let refused;
      try { headers.set("a", "b"); } catch (e) { refused = e.name; }
      [[...headers], headers.getSetCookie(), headers.get("X-TWO"), headers.has("nope"),
       headers.get("nope"), statusText, refused]""",
               [[["content-length", "0"], ["set-cookie", "a=1"], ["set-cookie", "b=2"],
                 ["x-empty", ""], ["x-folded", "a b"], ["x-latin", "\xe9"], ["x-two", "one, two"]],
                ["a=1", "b=2"], "one, two", False, None, "Fine \xe9", "TypeError"])


@test
def reading_bodies(bench):
    bench.same("""
      const bytes = await (await fetch(base + "/bytes")).bytes();
      const buffer = await (await fetch(base + "/bytes")).arrayBuffer();
      const r = await fetch(base + "/404");
      const copy = r.clone();
      const first = await r.json();
      const again = await caught(r.text());
      let clone;
      try { r.clone(); } catch (e) { clone = e.name; }
      [bytes instanceof Uint8Array, bytes.length, bytes[255], buffer instanceof ArrayBuffer,
       buffer.byteLength, first, r.bodyUsed, again[0], clone, copy.bodyUsed, await copy.text(),
       await (await fetch(base + "/bom")).text(), (await caught((await fetch(base + "/503")).json()))[0]]""",
               [True, 256, 255, True, 256, {"gone": True}, True, "TypeError", "TypeError", False,
                '{"gone":true}', "x\ufffd", "SyntaxError"])


@test
def encodings(bench):
    bench.same("""
      const text = async (path) => (await fetch(base + path)).text();
      [await text("/gzip"), await text("/deflate"), await text("/chunked"), await text("/continue"),
       await text("/until-close"), await text("/gzip-twice")]""",
               ["squeezed", "flat", "abcdefg", "final", "until the end", "squeezed"])


@test
def wrong_answers(bench):
    bench.codes([("BASE" + path, ("TypeError", code)) for path, code in (
        ("/close", "CONNECTION_CLOSED"), ("/truncated", "TRUNCATED"), ("/chunk-cut", "TRUNCATED"),
        ("/not-http", "BAD_RESPONSE"), ("/header-cut", "TRUNCATED"),
        ("/status-wrong", "BAD_RESPONSE"), ("/header-nul", "BAD_RESPONSE"),
        ("/lengths", "BAD_RESPONSE"), ("/length-negative", "BAD_RESPONSE"),
        ("/both-lengths", "BAD_RESPONSE"), ("/switching", "CONNECTION_CLOSED"),
        ("/chunk-wrong", "CONNECTION_CLOSED"), ("/gzip-wrong", "CONTENT_ENCODING"),
        ("/zstd", "CONTENT_ENCODING"), ("/zstd-chunked", "BAD_RESPONSE"))])


@test
def limits(bench):
    bench.codes([("BASE" + path, ("TypeError", code)) for path, code in (
        ("/bomb", "BODY_TOO_LARGE"), ("/8m+1", "BODY_TOO_LARGE"),
        ("/headers-huge", "HEADERS_TOO_LARGE"), ("/header-line-huge", "HEADERS_TOO_LARGE"))])
    bench.same("(await (await fetch(base + '/8m')).arrayBuffer()).byteLength", 8 << 20)


@test
def endless_answers(bench):
    bench.codes([("BASE" + path, ("TypeError", code)) for path, code in (
        ("/endless-interim", "HEADERS_TOO_LARGE"), ("/endless-headers", "HEADERS_TOO_LARGE"),
        ("/endless-trailers", "HEADERS_TOO_LARGE"), ("/endless-body", "BODY_TOO_LARGE"))])
    need(bench.server.wait_for(lambda: bench.server.live == 0), "a connection is left open")


@test
def bodies_are_memory_of_the_run(bench):
    bench.codes([("BASE/8m", ("TypeError", "NO_ROOM"))], "--memory-mib", "16")
    bench.same("(await (await fetch(base + '/8m')).bytes()).length", 8 << 20, "--memory-mib", "40")


# ---- connections ----

@test
def keep_alive(bench):
    bench.same("""
      const seen = new Set();
      for (let i = 0; i < 10; i++) seen.add((await (await fetch(base)).json()).connection);
      [...seen]""", [1])
    need(bench.server.wait_for(lambda: bench.server.live == 0), "a connection is left open")


@test
def answers_nobody_asked_for(bench):
    bench.same("""
      const first = await (await fetch(base + "/twice")).text();
      [first, (await (await fetch(base)).json()).connection]""", ["asked", 2])


@test
def connections_that_know_who_it_is(bench):
    """NTLM and Negotiate say so to the connection and not to the request: another run
    must not send its requests on it."""
    bench.same("""
      const connection = async (authorization) =>
        (await (await fetch(base, { headers: { authorization } })).json()).connection;
      [await connection("Bearer NTLM"), await connection("Basic eDp5"), await connection("NTLM TlRM"),
       await connection("negotiate TlRM"), await connection("Bearer t"), await connection("Bearer t")]""",
               [1, 1, 1, 2, 3, 3])


@test
def the_server_closes_between(bench):
    bench.same("""
      const all = [];
      for (let i = 0; i < 3; i++) all.push((await (await fetch(base + "/close-after")).json()).connection);
      all""", [1, 2, 3])


@test
def what_is_sent_twice(bench):
    """On a kept connection that ends without an answer: what may be done twice."""
    for method, times in (("GET", 3), ("PUT", 3), ("POST", 1), ("PATCH", 1), ("X-ONE", 1)):
        before = bench.server.dropped
        bench.same(f"""
          await Promise.all([fetch(base), fetch(base)]);
          caught(fetch(base + "/drop", {{ method: "{method}" }}))""",
                   ["TypeError", "CONNECTION_CLOSED", True])
        need(bench.server.dropped - before == times, f"{method}: {bench.server.dropped - before}")


@test
def fifty_at_once(bench):
    bench.same("""
      const all = await Promise.all(Array.from({ length: 50 }, async (_, i) =>
        (await (await fetch(`${base}/n/${i}`)).json()).target));
      all.every((target, i) => target === `/n/${i}`)""", True)


@test
def nobody_listens(bench):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        bench.codes([(f"http://127.0.0.1:{port}/", ("TypeError", "CONNECTION_REFUSED"))],
                    allow=f"fetch:127.0.0.1:{port}")


@test
def no_such_name(bench):
    bench.codes([("http://no-such-name.invalid/", ("TypeError", "DNS"))],
                allow="fetch:*.invalid")


@test
def untrusted_certificate(bench):
    if not shutil.which("openssl"):
        return
    key, cert = (os.path.join(bench.folder, name) for name in ("key", "cert"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "2", "-subj", "/CN=127.0.0.1"], check=True,
                   stderr=subprocess.DEVNULL)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    port = bench.open_server(tls).port
    keys_file = os.path.join(bench.folder, "session-keys")
    bench.codes([(f"https://127.0.0.1:{port}/", ("TypeError", "TLS")),
                 (f"http://127.0.0.1:{port}/", ("TypeError", "CONNECTION_CLOSED"))],
                allow=f"fetch:127.0.0.1:{port}",
                env={"SSLKEYLOGFILE": keys_file, "SSL_CERT_FILE": cert, "SSL_CERT_DIR": bench.folder,
                     "CURL_CA_BUNDLE": cert})
    need(not os.path.exists(keys_file) or os.path.getsize(keys_file) == 0,
         "the keys of the session were written to SSLKEYLOGFILE")


@test
def environment_changes_nothing(bench):
    other = bench.open_server()
    proxy = f"http://127.0.0.1:{other.port}"
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY")
    with open(os.path.join(bench.folder, ".netrc"), "w", encoding="utf-8") as file:
        file.write("machine 127.0.0.1 login me password secret\n")
    env = {**{name: proxy for name in names}, "HOME": bench.folder}
    value = bench.value("(await fetch(base)).json()", env=env)
    need(other.connections == 0 and seen(value, "authorization") == [], f"{value}")
    os.remove(os.path.join(bench.folder, ".netrc"))


# ---- time and aborting ----

@test
def timeouts(bench):
    for path in ("/slow", "/slow-headers", "/slow-body"):
        begun = time.monotonic()
        bench.same(f"caught(fetch(base + '{path}', {{ timeout: 100 }}))",
                   ["TimeoutError", "TIMEOUT", True])
        need(time.monotonic() - begun < 5 * bench.scale, "it took longer")
        need(bench.server.wait_for(lambda: bench.server.aborted == bench.server.waiting),
             "the connection is left open")
    run = bench.run("await fetch(base + '/slow')", "--op-timeout-ms", "100")
    need(run.report["error"]["kind"] == "api" and run.report["error"]["name"] == "TimeoutError"
         and run.report["operations"]["timed_out"] == 1, f"{run.report}")


@test
def the_wall_names_it(bench):
    run = bench.end(bench.begin("await fetch(base + '/slow')", "--wall-ms", "1000"), leaks=["fetch"])
    need(run.report["error"]["kind"] == "timeout", f"{run.report}")
    need([entry["name"] for entry in run.report["pending"]] == ["fetch"], f"{run.report}")
    need(run.report["operations"]["cancelled"] == 1, f"{run.report}")


@test
def aborting_in_the_middle(bench):
    for path in ("/slow", "/slow-headers", "/slow-body"):
        bench.same(f"""
          const controller = new AbortController();
          const promise = fetch(base + "{path}", {{ signal: controller.signal }});
          await fetch(base + "/once-waiting");
          controller.abort(new Error("enough"));
          [(await promise.catch((e) => e)).message, (await fetch(base + "/after")).status]""",
                   ["enough", 200])
        need(bench.server.wait_for(lambda: bench.server.aborted == bench.server.waiting),
             "the connection is left open")


@test
def aborting_closes_at_once(bench):
    """The server sees the end while the run goes on."""
    process = bench.begin("""
      const controller = new AbortController();
      const promise = fetch(base + "/slow", { signal: controller.signal });
      await fetch(base + "/once-waiting");
      controller.abort();
      await promise.catch(() => 0);
      await fetch(base + "/slow-until-killed").catch((e) => 0);""", "--wall-ms", "60000",
      "--op-timeout-ms", "60000")
    need(bench.server.wait_for(lambda: bench.server.waiting == 2), "not both were sent")
    need(bench.server.wait_for(lambda: bench.server.aborted == 1), "the first is left open")
    process.terminate()
    run = bench.end(process, leaks=["fetch"])
    need(run.report["outcome"] == "cancelled", f"{run.report}")
    need(bench.server.wait_for(lambda: bench.server.aborted == 2), "the second is left open")


@test
def aborted_before(bench):
    bench.same("""
      const reason = await fetch(base, { signal: AbortSignal.abort() }).catch((e) => e);
      const own = await fetch(new Request(base, { signal: AbortSignal.abort("mine") })).catch((e) => e);
      [reason.name, own, (await caught(fetch(base, { signal: {} })))[0],
       (await caught(fetch(base, { timeout: -1 })))[0],
       (await caught(fetch(base, { priority: "high" })))[0]]""",
               ["AbortError", "mine", "TypeError", "TypeError", "TypeError"])
    need(bench.server.connections == 0, "something was sent")


@test
def many_aborted_at_random(bench):
    bench.same("""
      let aborted = 0, done = 0;
      for (let round = 0; round < 10; round++)
        await Promise.all(Array.from({ length: 20 }, async (_, i) => {
          const path = ["/m", "/1m", "/slow", "/hops/3", "/bomb"][i % 5];
          const signal = AbortSignal.timeout(Math.random() * 20);
          try { await fetch(base + path, { signal }); done++; } catch (e) { aborted++; }
        }));
      aborted + done""", 200, "--memory-mib", "512")
    need(bench.server.wait_for(lambda: bench.server.live == 0), "a connection is left open")


# ---- redirects ----

@test
def redirects(bench):
    bench.same("""
      const r = await fetch(base + "/hops/20");
      const manual = await fetch(base + "/redirect/302?/x", { redirect: "manual" });
      [r.url === base + "/hops/0", r.redirected, (await r.json()).target, manual.status,
       manual.headers.get("location"), manual.redirected,
       await caught(fetch(base + "/redirect/302?/x", { redirect: "error" })),
       await caught(fetch(base + "/hops/21")),
       await caught(fetch(base + "/redirect/302?ftp://x/")),
       await caught(fetch(base + "/redirect/302?http://u:p@127.0.0.1/")),
       (await caught(fetch(base, { redirect: "sometimes" })))[0]]""",
               [True, True, "/hops/0", 302, "/x", False, ["TypeError", "REDIRECT", False],
                ["TypeError", "TOO_MANY_REDIRECTS", False], ["TypeError", "BAD_REDIRECT", False],
                ["TypeError", "BAD_REDIRECT", False], "TypeError"])


@test
def redirected_methods(bench):
    bench.same("""
      const send = async (status, method, body) => {
        const init = { method, body, headers: { "content-type": "a/b", "x-kept": "1" } };
        const r = await (await fetch(`${base}/redirect/${status}?/to`, init)).json();
        return [r.method, r.body, r.headers.some((h) => h[0] === "content-type"),
                r.headers.some((h) => h[0] === "x-kept")];
      };
      [await send(301, "POST", "b"), await send(302, "POST", "b"), await send(303, "POST", "b"),
       await send(303, "PUT", "b"), await send(307, "POST", "b"), await send(308, "POST", "b"),
       await send(302, "PUT", "b"), await send(301, "DELETE")]""",
               [["GET", "", False, True]] * 4 + [["POST", "b", True, True]] * 2
               + [["PUT", "b", True, True], ["DELETE", "", True, True]])


@test
def secrets_stay_with_their_origin(bench):
    other = bench.open_server()
    bench.same("""
      const headers = { Authorization: "Bearer t", Cookie: "c=1", "X-Kept": "1" };
      const names = async (to) => {
        const r = await (await fetch(`${base}/redirect/307?${to}`, { headers })).json();
        return r.headers.map((h) => h[0]).filter((n) => ["authorization", "cookie", "x-kept"].includes(n)).sort();
      };
      [await names("/same"), await names(context.other)]""",
               [["authorization", "cookie", "x-kept"], ["x-kept"]],
               allow=f"fetch:127.0.0.1:{bench.server.port},fetch:127.0.0.1:{other.port}",
               context={"other": f"http://127.0.0.1:{other.port}/other"})


@test
def redirects_are_checked(bench):
    other = bench.open_server()
    targets = [f"http://127.0.0.1:{other.port}/", "http://169.254.169.254/latest/meta-data/",
               "http://[fd00:ec2::254]/", "http://10.0.0.1/", "http://example.com/",
               f"http://localhost:{bench.server.port}/", f"http://0x7f.1:{other.port}/",
               "//192.168.0.1/"]
    bench.codes([(f"BASE/redirect/302?{target}", ("PermissionError", "NOT_ALLOWED"))
                 for target in targets])
    need(other.connections == 0, "a redirect was followed")


# ---- permission ----

@test
def not_allowed(bench):
    run = bench.run("await fetch('http://api.example.com:81/x')")
    error = run.report["error"]
    need(run.status == 1 and error["kind"] == "denied" and error["name"] == "PermissionError",
         f"{error}")
    need("fetch:api.example.com:81 in what is allowed would" in error["message"], f"{error}")
    run = bench.run("await fetch('https://api.example.com/x')")
    need("fetch:api.example.com in what is allowed would" in run.report["error"]["message"], f"{run.report}")
    need("api.example.com" in run.report["error"]["message"], f"{run.report}")


@test
def spellings_of_one_host(bench):
    port = bench.server.port
    hosts = ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.01", "0X7F000001", "127.0.0.1.",
             "%31%32%37.0.0.1", "\uff11\uff12\uff17.0.0.1", "127\u30020.0.1"]
    bench.same("""
      const all = [];
      for (const host of context.hosts)
        all.push((await fetch(`http://${host}:${context.port}/`)).url);
      new Set(all).size""", 1, context={"hosts": hosts, "port": port})
    bench.codes([(f"http://{host}:{port}/", ("PermissionError", "NOT_ALLOWED"))
                 for host in ("127.0.0.2", "0x7f.2", "0", "LOCALHOST", "[::1]", "127.0.0.1.nip.io")])


@test
def a_name_of_a_private_address(bench):
    port = bench.server.port
    bench.codes([(f"http://localhost:{port}/", ("TypeError", "ADDRESS_BLOCKED")),
                 (f"http://LOCALHOST:{port}/", ("TypeError", "ADDRESS_BLOCKED"))],
                allow=f"fetch:localhost:{port}")
    need(bench.server.connections == 0, "the server was connected to")
    bench.same(f"(await fetch('http://localhost:{port}/')).status", 200,
               allow=f"fetch:localhost:{port},fetch:127.0.0.1:{port}")


@test
def absent_unless_allowed(bench):
    bench.same("[typeof fetch, typeof Headers, typeof Request, typeof Response]", ["undefined"] * 4,
               allow="notes.get")


# ---- the classes ----

@test
def the_classes(bench):
    bench.same("""
      const made = Response.json({ a: 1 }, { status: 201, headers: { "x": "y" } });
      const redirect = Response.redirect("http://a.example/", 307);
      const fails = [() => new Response("x", { status: 204 }), () => new Response(null, { status: 99 }),
        () => new Response(null, { statusText: "a\\nb" }), () => Response.redirect("http://a.example/", 200),
        () => Response.json(undefined), () => new Request(), () => Headers(), () => new Headers(1),
        () => new Headers([["a"]]), () => Headers.prototype.get.call({}, "a"),
        () => redirect.headers.set("a", "b")].map((f) => { try { f(); return null; } catch (e) { return e.name; } });
      const headers = new Headers({ b: "2", A: " 1 " });
      headers.append("b", "3");
      const walked = [];
      headers.forEach((value, name, all) => walked.push(name, value, all === headers));
      headers.set("b", "4");
      headers.delete("A");
      const e = Response.error();
      [made.status, made.headers.get("content-type"), await made.json(), redirect.status,
       redirect.headers.get("location"), fails, walked, [...headers.keys()], [...headers.values()],
       e.type, e.status, Object.prototype.toString.call(headers), `${headers.entries()}`,
       await new Response("t").text(), await new Response().text()]""",
               [201, "application/json", {"a": 1}, 307, "http://a.example/",
                ["TypeError", "RangeError", "TypeError", "RangeError", "TypeError", "TypeError",
                 "TypeError", "TypeError", "TypeError", "TypeError", "TypeError"],
                ["a", "1", True, "b", "2, 3", True], ["b"], ["4"], "error", 0, "[object Headers]",
                "[object Headers Iterator]", "t", ""])


@test
def a_hostile_realm(bench):
    bench.same("""
      let touched = 0;
      const trap = () => { touched++; throw new Error("seen"); };
      const keep = { Promise };
      for (const [object, key] of [[Promise.prototype, "then"], [Array.prototype, "push"],
          [Array.prototype, "sort"], [String.prototype, "toLowerCase"], [JSON, "parse"],
          [Uint8Array.prototype.__proto__, "set"], [Map.prototype, "get"]]) object[key] = trap;
      Object.defineProperty(Promise.prototype, "constructor", { get: trap });
      Object.defineProperty(Promise, Symbol.species, { get: trap });
      for (const key of [0, 1, 4]) Object.defineProperty(Array.prototype, key, { set: trap, get: trap, configurable: true });
      const promise = fetch(base + "/404", { headers: { a: "b" } });
      Object.defineProperty(Promise.prototype, "constructor", { value: keep.Promise });
      const r = await promise;
      for (const key of [0, 1, 4]) delete Array.prototype[key];
      const value = (await r.json()).gone;
      [value, touched]""", [True, 0])


@test
def what_it_shows(bench):
    run = bench.run("console.log(await fetch(base + '/404')); console.log(new Headers({ a: 'b' })); 1")
    need("Response {" in run.stderr and "status: 404" in run.stderr
         and "Headers { a: 'b' }" in run.stderr, run.stderr)


@test
def the_trace_names_the_line(bench):
    run = bench.run("async function mine() {\n  await fetch('http://nope.example/');\n}\nawait mine();")
    stack = run.report["error"]["stack"]
    need(stack.startswith("    at fetch (host operation 1)\n    at mine (") and "vow:web" not in stack,
         stack)


@test
def audit_lines(bench):
    bench.value("(await fetch(base)).status", "--audit", "audit")
    with open(os.path.join(bench.folder, "audit"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    need([line["event"] for line in lines] == ["opened", "created", "started", "settled", "ended"]
         and lines[1]["name"] == "fetch", f"{lines}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("vow")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    chosen = [t for t in TESTS if not options.names or t.__name__ in options.names]
    failed = 0
    for function in chosen:
        for engine in ("wasm", "native"):
            bench = Bench(os.path.abspath(options.vow), engine, options.scale)
            try:
                function(bench)
            except Failure as failure:
                failed += 1
                print(f"FAILED {function.__name__} {engine}: {failure}")
            finally:
                bench.close()
    print(f"{2 * len(chosen) - failed} of {2 * len(chosen)} passed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
