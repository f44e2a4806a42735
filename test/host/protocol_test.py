#!/usr/bin/env python3
"""The protocol of `vow host`, against the real process.

    protocol_test.py VOW [NAME...]
"""
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from peer import SECONDS, Peer  # noqa: E402

VOW = None
WEATHER = {"name": "weather.get", "description": "The weather",
           "parameters": [{"name": "city", "schema": {"type": "string"}}]}
ECHO = {"name": "echo", "parameters": [{"name": "value", "optional": True}]}


class HostTest(unittest.TestCase):
    options = ()

    def setUp(self):
        self.peer = Peer(VOW, *self.options)

    def tearDown(self):
        if self.peer.process.poll() is None:
            self.peer.kill()

    def code(self, answer):
        self.assertNotIn("result", answer)
        return answer["error"]["code"]

    def value(self, report):
        self.assertEqual(report["outcome"], "value", report)
        counts = report["operations"]
        self.assertEqual(counts["live"], 0)
        self.assertEqual(counts["created"], sum(counts[state] for state in (
            "fulfilled", "rejected", "timed_out", "cancelled")))
        return report["value"]


class Runs(HostTest):
    def test_value_and_report(self):
        report = self.peer.report(self.peer.eval("1 + 1", debug=False))
        self.assertEqual(self.value(report), 2)
        self.assertEqual(list(report), ["version", "outcome", "value", "operations", "time",
                                        "memory", "pending"])
        self.peer.end()

    def test_module_name_context_debug(self):
        peer = self.peer
        self.assertEqual(self.value(peer.report(peer.eval(
            "export default (context) => context.a[1]", name="x.mjs", context={"a": [1, "b"]},
            debug=True))), "b")
        report = peer.report(peer.eval("null.x", name="tool.js"))
        self.assertEqual((report["outcome"], report["error"]["kind"]), ("error", "script"))
        self.assertIn("tool.js:1", report["error"]["stack"])
        peer.end()

    def test_calls(self):
        peer = self.peer
        peer.register(WEATHER)
        number = peer.eval("(await weather.get('Oslo')).t + 1", op_timeout_ms=5000)
        call = peer.call()
        self.assertEqual(list(call), ["jsonrpc", "id", "method", "params"])
        params = call["params"]
        remaining = params.pop("remaining_ms")
        self.assertEqual(params.pop("calls_left"), 9999)
        self.assertEqual(params, {"run": number, "operation": 1, "name": "weather.get", "attempt": 1,
                                  "arguments": ["Oslo"]})
        self.assertTrue(0 < remaining <= 5000, remaining)
        peer.fulfil(call, {"t": 20.5})
        self.assertEqual(self.value(peer.report(number)), 21.5)
        peer.end()

    def test_errors_of_calls(self):
        peer = self.peer
        peer.register(WEATHER)
        source = ("await weather.get('x').catch((e) => [e.name, e.code, e.message, e.transient, "
                  "e instanceof ApiError, e.operation.name])")
        number = peer.eval(source)
        peer.fail(peer.call(), "there is no x", name="NotFoundError", code="NOT_FOUND")
        self.assertEqual(self.value(peer.report(number)), [
            "NotFoundError", "NOT_FOUND", "there is no x", False, True, "weather.get"])
        number = peer.eval(source)
        peer.fail(peer.call(), "é" * 4000, name="N" * 100, transient=True)
        name, code, message, transient, is_api, _ = self.value(peer.report(number))
        self.assertEqual((name, code, transient, is_api), ("N" * 64, None, True, True))
        self.assertTrue(set(message) == {"é"} and 1900 < len(message) <= 2048, len(message))
        # Errors that are not as they should be.
        for error in (None, 5, "x", [], {}, {"message": 5, "data": {"transient": "yes"}}):
            number = peer.eval(source)
            peer.send({"jsonrpc": "2.0", "id": peer.call()["id"], "error": error})
            self.assertEqual(self.value(peer.report(number))[:4], [
                "ApiError", None, "the operation failed", False], error)
        peer.end()

    def test_values_cross(self):
        peer = self.peer
        peer.register(ECHO)

        def crossed(expression):
            number = peer.eval(f"const v = await echo({expression}); [typeof v, "
                               "Object.prototype.toString.call(v), String(v), v]")
            call = peer.call()
            peer.fulfil(call, call["params"]["arguments"][0])
            return call["params"]["arguments"][0], self.value(peer.report(number))
        for expression, wire, told in (
                ("new Uint8Array([1, 255])", {"$bytes": "Af8="}, "1,255"),
                ("new Uint8Array([])", {"$bytes": ""}, ""),
                ("new Uint8Array(5)", {"$bytes": base64.b64encode(bytes(5)).decode()}, "0,0,0,0,0"),
                ("-123n", {"$bigint": "-123"}, "-123"), ("0n", {"$bigint": "0"}, "0"),
                ("2n ** 64n", {"$bigint": str(2 ** 64)}, str(2 ** 64)),
                ("-(2n ** 64n)", {"$bigint": str(-2 ** 64)}, str(-2 ** 64)),
                ("10n ** 1999n", {"$bigint": "1" + "0" * 1999}, "1" + "0" * 1999)):
            found, back = crossed(expression)
            self.assertEqual((found, back[2]), (wire, told), expression)
        found, back = crossed("new Date(1500.9)")
        self.assertEqual((found, back[1], back[3]), ({"$date": 1500}, "[object Date]",
                                                     "1970-01-01T00:00:01.500Z"))
        found, back = crossed("new Date(NaN)")
        self.assertEqual((found, back[1], back[3]), ({"$date": None}, "[object Date]", None))
        for expression, wire in (
                ("{ $bytes: 'AAAA' }", {"$$bytes": "AAAA"}),
                ("{ $$date: 1, x: { $bigint: '1' } }", {"$$$date": 1, "x": {"$$bigint": "1"}}),
                ("{ $other: 1, bytes: 2, $: 3 }", {"$other": 1, "bytes": 2, "$": 3})):
            number = peer.eval(f"const a = {expression}; JSON.stringify(await echo(a)) === "
                               "JSON.stringify(a)")
            call = peer.call()
            self.assertEqual(call["params"]["arguments"], [wire])
            peer.fulfil(call, wire)
            self.assertIs(self.value(peer.report(number)), True, expression)
        # What only resembles a form is an object; -0, surrogates and large numbers survive.
        for answer, check in (
                ('{"$bytes": "A"}', "v.$bytes === 'A'"), ('{"$bytes": "AB=="}', "v.$bytes === 'AB=='"),
                ('{"$bytes": 1}', "v.$bytes === 1"), ('{"$bigint": "1e3"}', "v.$bigint === '1e3'"),
                ('{"$date": "x"}', "v.$date === 'x'"), ('{"$date": 9e15}', "v.$date === 9e15"),
                ('{"$bytes": "AAAA", "x": 1}', "v.$bytes === 'AAAA' && v.x === 1"),
                ('{"$bytes": "AAAA", "$bytes": "BBBB"}', "v.$bytes === 'BBBB'"),
                ("-0", "Object.is(v, -0)"), ("1e400", "v === Infinity"),
                ("12345678901234567890", "v === 12345678901234567890"),
                ("9007199254740993", "v === 9007199254740992"), ("0.1", "v === 0.1"),
                ("1E+2", "v === 100"), ("-1.5e-7", "v === -1.5e-7"), ("1" + "0" * 400, "v === Infinity"),
                (r'"\ud83d\ude00\ud800x\u0000\/\b"', r"v === '\ud83d\ude00\ud800x\0/\b'"),
                ('{"__proto__": {"a": 1}}', "Object.keys(v)[0] === '__proto__' && v.a === undefined"),
                (" [ ] ", "v.length === 0"), (' { "a" : [ true , false , null ] } ',
                                             "v.a[0] && v.a[2] === null")):
            number = peer.eval(f"const v = await echo(); {check}")
            call = peer.call()
            self.assertEqual(call["params"]["arguments"], [])
            peer.raw(b'{"jsonrpc":"2.0","id":%d,"result":%s}\n' % (call["id"], answer.encode()))
            self.assertIs(self.value(peer.report(number)), True, answer)
        peer.end()

    def test_policies(self):
        peer = self.peer
        peer.register(dict(ECHO, name="flaky", policy={"attempts": 3, "backoff_ms": 1, "idempotent": True}),
                      dict(ECHO, name="kept", policy={"cache_ms": 60000, "cache_bytes": 100000}),
                      dict(ECHO, name="single", policy={"concurrent_max": 1}),
                      dict(ECHO, name="brief", policy={"timeout_ms": 20}))
        number = peer.eval("await flaky(1)")
        for attempt in 1, 2:
            call = peer.call()
            self.assertEqual(call["params"]["attempt"], attempt)
            peer.fail(call, "not now", transient=True)
        call = peer.call()
        self.assertEqual((call["params"]["attempt"], call["params"]["operation"]), (3, 1))
        peer.fulfil(call, "yes")
        report = peer.report(number)
        self.assertEqual((self.value(report), report["operations"]["retries"]), ("yes", 2))
        number = peer.eval("await flaky(2)")
        peer.fail(peer.call(), "never")  # not transient
        self.assertEqual(peer.report(number)["error"]["operation"]["attempts"], 1)
        for i in range(2):
            number = peer.eval("await kept('x')")
            if i == 0:
                peer.fulfil(peer.call(), [1])
            report = peer.report(number)
            self.assertEqual((self.value(report), report["operations"]["cache_hits"]), ([1], i))
        numbers = [peer.eval("await single(context)", context=i) for i in range(3)]
        for i in range(3):
            call = peer.call()
            self.assertEqual(peer.counts()["calls"], 1)
            self.assertFalse([m for m in peer.kept if m.get("method") == "call"])
            peer.fulfil(call, i)
        self.assertEqual(sorted(self.value(peer.report(number)) for number in numbers), [0, 1, 2])
        number = peer.eval("await brief().catch((e) => e.name)")
        call = peer.call()
        self.assertEqual(self.value(peer.report(number)), "TimeoutError")
        peer.fulfil(call, 1)
        self.assertEqual(peer.counts()["calls"], 0)
        peer.end()

    def test_arguments_are_checked(self):
        peer = self.peer
        peer.register({"name": "f", "parameters": [
            {"name": "a", "schema": {"type": "object", "required": ["n"], "additionalProperties": False,
                                     "properties": {"n": {"type": "integer"},
                                                    "list": {"type": "array", "items": {"enum": ["x", 1]}}}}},
            {"name": "b", "optional": True, "schema": {"anyOf": [{"type": "string"},
                                                                 {"type": ["bytes", "bigint", "date"]}]}}]})
        for arguments, message in (
                ("", "f: a is missing"), ("5", "f: a must be an object, not a number"),
                ("{}", "f: a.n is missing"), ("{n: undefined}", "f: a.n is missing"),
                ("{n: 1.5}", "f: a.n must be an integer, not a number"),
                ("{n: NaN}", "f: a.n must be an integer, not NaN or Infinity"),
                ("{n: 1, m: 2}", "f: a.m is not known"), ("undefined", "f: a must be an object, not undefined"),
                ("{n: 1, list: ['x', 2]}", "f: a.list[1] is none of the values that it may have"),
                ("{n: 1}, {}", "f: b is none of the kinds that it may be"),
                ("new Map([['n', '1']])", "f: a.n must be an integer, not a string")):
            report = peer.report(peer.eval(f"await f({arguments})"))
            self.assertEqual((report["error"]["name"], report["error"]["message"]),
                             ("TypeError", message), arguments)
        for arguments in ("{n: 1}", "{n: 1, list: ['x', 1]}", "{n: 1}, 1n", "{n: 1}, new Date(0)",
                          "{n: 1}, new Uint8Array(1)", "{n: 1}, undefined", "new Map([['n', 1]])"):
            number = peer.eval(f"await f({arguments})")
            peer.fulfil(peer.call(), None)
            self.assertIsNone(self.value(peer.report(number)))
        self.assertEqual(peer.counts()["calls"], 0)
        peer.end()

    def test_allow(self):
        peer = self.peer
        peer.register(WEATHER, ECHO)
        source = "[typeof weather, typeof echo]"
        for allow, found in ((None, ["object", "function"]), ([], ["undefined", "undefined"]),
                             (["echo"], ["undefined", "function"]), (["*"], ["object", "function"]),
                             (["weather.*", "e*o"], ["object", "function"])):
            self.assertEqual(self.value(peer.report(peer.eval(source, allow=allow))), found)
        for allow in (["nothing"], "echo", [1], ["*", "echo2"], ["notes.*"], [""]):
            self.assertEqual(self.code(peer.answer(peer.eval(source, allow=allow))), -32602)
        self.assertIn("there are: weather.get, echo", peer.answer(
            peer.eval("1", allow=["ekho"]))["error"]["message"])
        peer.end()

    def test_allow_of_many_kinds(self):
        """Each run may have a list of its own, however many came before."""
        peer = self.peer
        names = [f"tool{i}" for i in range(11)]
        peer.register(*({"name": name} for name in names))
        for start in range(0, 1500, 100):
            asked = [(peer.eval("Object.keys(globalThis).filter((k) => k.startsWith('tool')).length",
                                allow=[name for i, name in enumerate(names) if n >> i & 1]), n)
                     for n in range(start, start + 100)]
            for number, n in asked:
                self.assertEqual(self.value(peer.report(number)), bin(n).count("1"))
        peer.end()

    def test_limits(self):
        peer = self.peer
        peer.register(ECHO)
        for source, limits, kind in (
                ("for (;;);", {"cpu_ms": 20}, "cpu"), ("await sleep(60000)", {"wall_ms": 20}, "timeout"),
                ("'x'.repeat(3000)", {"result_kib": 1}, "result"),
                ("console.log('x'.repeat(3000))", {"log_kib": 1}, "output"),
                ("const a = []; for (;;) a.push(new Uint8Array(1e6))", {"memory_mib": 8}, "memory"),
                ("function f() { f() } f()", {"stack_kib": 32}, "stack"),
                ("echo(); echo(); 1", {"max_ops": 1}, "operations")):
            left = {"timeout": ["timer"], "operations": ["echo"]}.get(kind, [])
            report = peer.report(peer.eval(source, **limits), left)
            self.assertEqual((report["outcome"], report["error"]["kind"]), ("limit", kind), report)
            if kind != "stack":  # by the name it is set by
                self.assertIn(next(iter(limits)), report["error"]["message"])
            self.assertNotIn("--", report["error"]["message"])
        peer.end()

    def test_logs_come_before_the_answer(self):
        number = self.peer.eval("console.log('a\\n', 1); console.error('b'); 7")
        seen = [self.peer.message() for _ in range(3)]
        self.assertEqual([m.get("method") for m in seen], ["log", "log", None])
        self.assertEqual(seen[0]["params"], {"run": number, "level": "log", "text": "a\n 1"})
        self.assertEqual(seen[1]["params"], {"run": number, "level": "error", "text": "b"})
        self.assertEqual(self.value(seen[2]["result"]), 7)
        self.peer.end()

class Protocol(HostTest):
    options = ("--message-mib", "1")

    def test_standard_codes(self):
        peer = self.peer
        for line, code, number in (
                (b"x", -32700, None), (b'{"jsonrpc":"2.0","method":"ping","id":1', -32700, None),
                (b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', -32700, None),
                (b"\xff\xfe", -32700, None), (b'"\xed\xa0\x80"', -32700, None), (b"[1,]", -32700, None),
                (b"{} {}", -32700, None), (b"01", -32700, None), (b'"\\x"', -32700, None),
                (b'"a\x01"', -32700, None), (b"\xef\xbb\xbf{}", -32700, None),
                (b"1", -32600, None), (b"null", -32600, None), (b"{}", -32600, None), (b"[]", -32600, None),
                (b'{"jsonrpc":"2.0","method":1,"id":3}', -32600, 3),
                (b'{"jsonrpc":"1.0","method":"ping","id":3}', -32600, 3),
                (b'{"method":"ping","id":"x"}', -32600, "x"),
                (b'{"jsonrpc":"2.0","method":"ping","id":null}', -32600, None),
                (b'{"jsonrpc":"2.0","method":"ping","id":1.5}', -32600, None),
                (b'{"jsonrpc":"2.0","method":"ping","id":{}}', -32600, None),
                (b'{"jsonrpc":"2.0","method":"ping","id":"%s"}' % (b"x" * 300), -32600, None),
                (b'{"jsonrpc":"2.0","method":"ping","id":1,"params":1}', -32600, 1),
                (b'{"jsonrpc":"2.0","method":"ping","id":1,"result":1}', -32600, 1),
                (b'{"jsonrpc":"2.0","id":1}', -32600, 1),
                (b'{"jsonrpc":"2.0","id":1,"result":1,"error":{}}', -32600, 1),
                (b'{"jsonrpc":"2.0","method":"nope","id":1}', -32601, 1),
                (b'{"jsonrpc":"2.0","method":"eval","id":1}', -32602, 1),
                (b'{"jsonrpc":"2.0","method":"eval","id":1,"params":["1"]}', -32602, 1),
                (b'{"jsonrpc":"2.0","method":"eval","id":1,"params":{}}', -32602, 1),
                (b'{"jsonrpc":"2.0","method":"eval","id":1,"params":{"source":1}}', -32602, 1),
                (b'{"jsonrpc":"2.0","method":"eval","id":1,"params":{"source":"1","cpuMs":5}}', -32602, 1),
                (b'{"jsonrpc":"2.0","method":"eval","id":1,"params":{"source":"1","cpu_ms":0}}', -32602, 1),
                (b'{"jsonrpc":"2.0","method":"eval","id":1,"params":{"source":"1","cpu_ms":1.5}}', -32602, 1),
                (b'{"jsonrpc":"2.0","method":"eval","id":1,"params":{"source":"1","name":""}}', -32602, 1),
                (b'{"jsonrpc":"2.0","method":"eval","id":1,"params":{"source":"1","debug":1}}', -32602, 1),
                (b'{"jsonrpc":"2.0","method":"cancel","id":1,"params":{"id":{}}}', -32602, 1),
                (b'{"jsonrpc":"2.0","method":"register","id":1,"params":{"operations":{}}}', -32602, 1)):
            peer.raw(line + b"\n")
            answer = peer.message()
            self.assertEqual((self.code(answer), answer["id"]), (code, number), (line, answer))
            self.assertEqual(set(answer), {"jsonrpc", "id", "error"})
            self.assertTrue(answer["error"]["message"])
        self.assertEqual(self.value(peer.report(peer.eval("1"))), 1)
        peer.end()

    def test_batches(self):
        peer = self.peer
        peer.register(WEATHER)
        peer.send([{"jsonrpc": "2.0", "id": "a", "method": "ping"}, 1,
                   {"jsonrpc": "2.0", "id": "b", "method": "eval",
                    "params": {"source": "await weather.get('x')"}},
                   {"jsonrpc": "2.0", "method": "nothing"},
                   {"jsonrpc": "2.0", "id": "c", "method": "nothing"}])
        call = peer.call()
        peer.send([{"jsonrpc": "2.0", "method": "nothing"}])  # no answer at all
        peer.send([{"jsonrpc": "2.0", "id": call["id"], "result": 5}])
        answers = peer.message()
        self.assertEqual([m["id"] for m in answers], ["a", None, "c", "b"])
        self.assertEqual([m.get("error", {}).get("code") for m in answers],
                         [None, -32600, -32601, None])
        self.assertEqual(self.value(answers[3]["result"]), 5)
        self.assertEqual(peer.counts()["strays"], 2)
        peer.end()

    def test_lines_in_pieces(self):
        peer = self.peer
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eval",
                           "params": {"source": "'é😀'"}}, ensure_ascii=False).encode() + b"\n"
        for i in range(len(line)):
            peer.raw(line[i:i + 1])
        self.assertEqual(self.value(peer.report(1)), "é😀")
        peer.raw(b"\n \r\n\t\n")  # blank lines are nothing
        peer.raw(line[:-1] + b"\r\n" + line.replace(b'"id": 1', b'"id": 2') + line[:9])
        self.assertEqual(self.value(peer.report(1)), "é😀")
        self.assertEqual(self.value(peer.report(2)), "é😀")
        peer.raw(line[9:-1])  # the last line needs no newline
        peer.process.stdin.close()
        self.assertEqual(self.value(peer.report(1)), "é😀")
        self.assertIsNone(peer.line())
        peer.end()

    def test_long_lines(self):
        peer = self.peer
        source = "'" + "x" * 1000000 + "'.length"
        self.assertEqual(self.value(peer.report(peer.eval(source))), 1000000)
        for size in (1 << 20) + 1, 5 << 20:
            peer.raw(b"[" * size + b"\n")
            answer = peer.message()
            self.assertEqual((self.code(answer), answer["id"]), (-32001, None))
        peer.raw(b" " * (1 << 20) + b"\n")  # just as long as may be
        peer.register(WEATHER)
        report = peer.report(peer.eval("await weather.get('x'.repeat(2e6))"))
        self.assertEqual(report["error"]["name"], "RangeError")
        self.assertEqual(peer.counts()["calls"], 0)
        peer.end()

    def test_deep_json(self):
        peer = self.peer
        for size in 300, 100000:
            for opener, closer in ((b"[", b"]"), (b'{"a":', b"}")):
                peer.raw(opener * size + b"1" + closer * size + b"\n")
                self.assertEqual(self.code(peer.message()), -32600)
        peer.register(ECHO)
        for depth, good in ((250, True), (257, False)):
            number = peer.eval("const v = await echo(); 1")
            peer.raw(b'{"jsonrpc":"2.0","id":%d,"result":%s}\n' % (
                peer.call()["id"], b"[" * depth + b"]" * depth))
            report = peer.report(number)
            self.assertEqual(report["outcome"], "value" if good else "error", report)
        peer.end()

    def test_ids(self):
        peer = self.peer
        for number in (0, -5, "", "é\n\"", 2 ** 53 - 1):
            peer.send({"jsonrpc": "2.0", "id": number, "method": "ping"})
            self.assertEqual(peer.message()["id"], number)
        peer.send({"jsonrpc": "2.0", "id": "same", "method": "eval", "params": {"source": "await sleep(60000)"}})
        peer.send({"jsonrpc": "2.0", "id": "same", "method": "eval", "params": {"source": "1"}})
        self.assertEqual(self.code(peer.message()), -32600)
        peer.send({"jsonrpc": "2.0", "method": "cancel", "params": {"id": "same"}})
        self.assertEqual(peer.message()["result"]["outcome"], "cancelled")
        peer.end()

    def test_answers_to_nothing(self):
        peer = self.peer
        peer.register(ECHO)
        number = peer.eval("await echo()")
        call = peer.call()
        for wrong in (0, 1, 5, -1, "x", str(call["id"]), call["id"] + 1, call["id"] + (1 << 17), 10 ** 15):
            peer.send({"jsonrpc": "2.0", "id": wrong, "result": 1})
        peer.fulfil(call, "first")
        peer.fulfil(call, "second")
        peer.fail(call)
        self.assertEqual(self.value(peer.report(number)), "first")
        self.assertEqual(peer.counts()["strays"], 11)
        number = peer.eval("await echo()")  # takes the same place
        peer.fulfil(call, "of before")
        peer.fulfil(peer.call(), "new")
        self.assertEqual(self.value(peer.report(number)), "new")
        peer.end()

    def test_register_is_checked(self):
        peer = self.peer
        peer.register(WEATHER)
        for wrong, message in (
                ({}, "name is missing"), ({"name": "a b"}, "'a b' is no name"), ({"name": "a.b.c"}, "no name"),
                ({"name": "delete"}, "no name"), ({"name": "x" * 65}, "no name"), ({"name": "a."}, "no name"),
                ({"name": "weather.get"}, "already"), ({"name": "weather"}, "already"),
                ({"name": "weather.get.x"}, "no name"), ({"name": "a", "x": 1}, "there is no 'x'"),
                ({"name": "a", "parameters": {}}, "must be a list"),
                ({"name": "a", "parameters": [{"name": "1"}]}, "no name for a parameter"),
                ({"name": "a", "parameters": [{"name": "x", "optional": True}, {"name": "y"}]}, "optional"),
                ({"name": "a", "parameters": [{"name": f"p{i}"} for i in range(17)]}, "more than 16"),
                ({"name": "a", "parameters": [{"name": "x", "schema": 5}]}, "must be an object"),
                ({"name": "a", "parameters": [{"name": "x", "schema": {"minimum": 5}}]}, "'minimum' is not supported"),
                ({"name": "a", "parameters": [{"name": "x", "schema": {"type": "text"}}]}, "type must be"),
                ({"name": "a", "result": {"type": []}}, "type must be"),
                ({"name": "a", "result": {"enum": [{}]}}, "enum must be"),
                ({"name": "a", "result": {"required": [1]}}, "required must be"),
                ({"name": "a", "policy": {"timeout": 1}}, "there is no 'timeout'"),
                ({"name": "a", "policy": {"attempts": 0}}, "attempts must be"),
                ({"name": "a", "policy": {"attempts": 2}}, "only an operation that is `idempotent`"),
                ({"name": "a", "policy": 5}, "must be an object")):
            answer = peer.answer(peer.ask("register", operations=[{"name": "good"}, wrong]))
            self.assertEqual(self.code(answer), -32602)
            self.assertIn(message, answer["error"]["message"])
        schema = {}
        for _ in range(20):
            schema = {"items": schema}
        self.assertEqual(self.code(peer.answer(peer.ask("register", operations=[
            {"name": "a", "result": schema}]))), -32602)
        self.assertIs(self.value(peer.report(peer.eval("typeof good === 'undefined'"))), True)
        peer.register(*({"name": f"many.op{i}"} for i in range(1023)))
        self.assertEqual(self.code(peer.answer(peer.ask("register", operations=[{"name": "more"}]))), -32602)
        peer.end()

    def test_types(self):
        peer = self.peer
        peer.register(dict(WEATHER, result={"type": "object", "required": ["t"],
                                            "properties": {"t": {"type": ["number", "null"]}}}),
                      {"name": "find", "description": "a */ b", "parameters": [
                          {"name": "kind", "schema": {"enum": ["a", 1, None]}},
                          {"name": "at", "optional": True, "schema": {"type": "array", "items": {"type": "date"}}}]})
        types = peer.answer(peer.ask("types"))["result"]["types"]
        self.assertIn("declare const weather: {\n  /** The weather */\n  get(city: string, options?: CallOptions): "
                      'Promise<{"t": number | null; [key: string]: unknown}>;\n};\n', types)
        self.assertIn("/** a * / b */\ndeclare function find(kind: (\"a\" | 1 | null), at?: Array<Date>, "
                      "options?: CallOptions): Promise<unknown>;\n", types)
        self.assertNotIn("weather", peer.answer(peer.ask("types", allow=["find"]))["result"]["types"])
        self.assertEqual(self.code(peer.answer(peer.ask("types", allow=["x"]))), -32602)
        peer.end()


class Cancel(HostTest):
    options = ("--max-runs", "2")

    def cancelled(self, number, leaks=()):
        self.assertEqual(self.peer.answer(self.peer.ask("cancel", id=number))["result"], {"cancelled": True})
        report = self.peer.report(number, leaks)
        self.assertEqual((report["outcome"], report["error"]["kind"]), ("cancelled", "cancelled"))
        self.assertEqual(self.peer.answer(self.peer.ask("cancel", id=number))["result"], {"cancelled": False})
        return report

    def test_in_every_state(self):
        peer = self.peer
        peer.register(ECHO)
        self.cancelled(peer.eval("for (;;);", cpu_ms=60000))
        self.cancelled(peer.eval("await sleep(60000)"), ["timer"])
        number = peer.eval("await echo(1)")
        call = peer.call()
        self.assertEqual(self.cancelled(number, ["echo"])["operations"]["cancelled"], 1)
        self.assertEqual(peer.notification("cancelled"), {"call": call["id"]})
        self.assertEqual(peer.counts()["calls"], 1)
        peer.fulfil(call, "too late")
        self.assertEqual(peer.counts(), {"runs": 0, "waiting": 0, "calls": 0, "strays": 0, "logs_dropped": 0,
                                         "progress_dropped": 0})
        self.assertEqual(self.value(peer.report(peer.eval("1"))), 1)
        self.assertEqual(peer.answer(peer.ask("cancel", id="nothing"))["result"], {"cancelled": False})
        peer.end()

    def test_waiting_runs(self):
        peer = self.peer
        numbers = [peer.eval("await sleep(60000)") for _ in range(2)]
        waiting = [peer.eval(f"{i}") for i in range(3)]
        self.assertEqual(peer.counts()["waiting"], 3)
        self.cancelled(waiting[1])
        self.cancelled(numbers[0], ["timer"])
        self.assertEqual([self.value(peer.report(waiting[i])) for i in (0, 2)], [0, 2])
        self.cancelled(numbers[1], ["timer"])
        peer.end()

    def test_calls_that_the_script_gives_up(self):
        peer = self.peer
        peer.register(ECHO)
        number = peer.eval("const c = new AbortController(); const p = echo(1, {signal: c.signal}); "
                           "await sleep(1); c.abort('no'); await p.catch((e) => e)")
        call = peer.call()
        self.assertEqual(peer.notification("cancelled"), {"call": call["id"]})
        peer.fail(call, "as you wish")
        self.assertEqual(self.value(peer.report(number)), "no")
        number = peer.eval("await echo(1, {timeout: 20}).catch((e) => e.name)")
        call = peer.call()
        self.assertTrue(0 < call["params"]["remaining_ms"] <= 20)
        self.assertEqual(peer.notification("cancelled"), {"call": call["id"]})
        self.assertEqual(self.value(peer.report(number)), "TimeoutError")
        self.assertEqual(peer.counts()["calls"], 1)
        peer.fulfil(call, 1)
        self.assertEqual(peer.counts()["calls"], 0)
        peer.end()


    def test_nested_runs_end_with_their_call(self):
        peer = self.peer
        peer.register(ECHO)
        for how in ("script", "cancel", "end"):
            abort = "echo(0).then(() => c.abort('no'));" if how == "script" else ""
            outer = peer.eval(f"const c = new AbortController(); {abort}"
                              "await echo(1, {signal: c.signal}).catch((e) => e)")
            go = peer.call() if abort else None
            call = peer.call()
            inner = peer.eval("await echo(2)", parent=call["id"], wall_ms=600000)
            second = peer.call()
            self.assertLessEqual(second["params"]["remaining_ms"], 10002)
            if go:
                peer.fulfil(go, None)
            elif how == "cancel":
                peer.ask("cancel", id=outer)
            elif how == "end":
                peer.fulfil(call, 3)
            nested = peer.report(inner, ["echo"])
            report = peer.report(outer, ["echo"] if how == "cancel" else [])
            self.assertEqual(nested["outcome"], "cancelled")
            self.assertEqual(report["outcome"], "cancelled" if how == "cancel" else "value")
            peer.wait(lambda m: m.get("method") == "cancelled" and m["params"]["call"] == second["id"])
            if how != "end":
                peer.fulfil(call, 1)
            peer.fulfil(second, 1)
        for parent in (12345, "x", call["id"], [1]):
            answer = peer.answer(peer.eval("1", parent=parent))
            self.assertEqual(self.code(answer), -32602)
            self.assertIn("parent must be the id of a call", answer["error"]["message"])
        peer.counts()
        peer.end()


    def test_nested_runs_wait_for_no_place(self):
        """Those who wait for them have the places, all of them here, and others are waiting."""
        peer = self.peer
        peer.register(ECHO)
        outer = [peer.eval(f"await echo({i})") for i in range(2)]
        calls = [peer.call() for _ in outer]
        last = peer.eval("'last'")
        self.assertEqual(peer.counts()["waiting"], 1)
        inner = [peer.eval("await echo(5)", parent=call["id"]) for call in calls]
        deeper = [peer.call() for _ in inner]
        refused = peer.answer(peer.eval("1", parent=deeper[0]["id"]))
        self.assertEqual(self.code(refused), -32002)
        self.assertEqual(peer.counts()["waiting"], 1)
        for call in deeper:
            peer.fulfil(call, 5)
        for number, call in zip(inner, calls):
            peer.fulfil(call, self.value(peer.report(number)))
        self.assertEqual([self.value(peer.report(number)) for number in outer + [last]], [5, 5, "last"])
        self.assertEqual(peer.counts()["waiting"], 0)
        peer.end()


class Seen(HostTest):
    def test_progress(self):
        peer = self.peer
        peer.register(ECHO)
        number = peer.eval("await echo('x'); await echo('y').catch((e) => e.name)", progress=True)
        silent = peer.eval("await echo('z')")
        for i in range(3):
            call = peer.call()
            peer.send({"jsonrpc": "2.0", "method": "progress",
                       "params": {"call": call["id"], "value": {"done": {"$bytes": "AP8="}}}})
            if call["params"]["arguments"] == ["y"]:
                peer.fail(call, name="NotFoundError")
            else:
                peer.fulfil(call, 1)
        self.assertEqual(self.value(peer.report(number)), "NotFoundError")
        self.assertEqual(self.value(peer.report(silent)), 1)
        told = [m["params"] for m in peer.kept if m.get("method") == "progress"]
        self.assertEqual({p["run"] for p in told}, {number})
        for operation, end in ((1, ("fulfilled", None)), (2, ("rejected", "NotFoundError"))):
            mine = [p for p in told if p["operation"] == operation]
            self.assertEqual([p["event"] for p in mine], ["created", "started", "progress", "settled"])
            self.assertEqual(mine[2]["value"], {"done": {"$bytes": "AP8="}})
            self.assertEqual((mine[3]["state"], mine[3].get("error")), end)
            self.assertEqual({p["name"] for p in mine}, {"echo"})
        for params in ({"call": 1, "value": 1}, {"call": 1}, {}, [1]):
            peer.send({"jsonrpc": "2.0", "method": "progress", "params": params})
        self.assertEqual(peer.counts()["strays"], 4)
        peer.end()

    def test_metrics(self):
        peer = self.peer
        peer.register(ECHO)
        number = peer.eval("await echo(1)")
        peer.fulfil(peer.call(), 1)
        self.value(peer.report(number))
        text = peer.answer(peer.ask("metrics"))["result"]["metrics"]
        self.assertIn('vow_operations_total{kind="echo",state="fulfilled"} 1\n', text)
        self.assertIn('vow_runs_total{outcome="value",kind="none"} 1\n', text)
        peer.end()

    def test_audit_and_metrics_files(self):
        with tempfile.TemporaryDirectory() as folder:
            audit, metrics = os.path.join(folder, "audit"), os.path.join(folder, "metrics")
            peer = Peer(VOW, "--audit", audit, "--metrics", metrics)
            self.addCleanup(peer.kill)
            peer.counts()  # it has locked the file
            second = subprocess.run([VOW, "host", "--audit", audit], stdin=subprocess.DEVNULL,
                                    capture_output=True, check=False)
            self.assertEqual(second.returncode, 2)
            self.assertIn(b"another process writes to it", second.stderr)
            peer.register(ECHO)
            outer = peer.eval("await echo(1)", tenant="acme")
            call = peer.call()
            inner = peer.eval("await sleep(1); 2", parent=call["id"], tenant="inner")
            self.value(peer.report(inner))
            peer.fulfil(call, 1)
            last = peer.report(outer)["audit"]
            peer.end()
            with open(audit, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
            self.assertEqual((len(lines), lines[-1]["hash"]), (last["lines"], last["last"]))
            runs = {line["tenant"]: line["run"] for line in lines}
            self.assertEqual({line.get("parent") for line in lines if line["tenant"] == "inner"},
                             {f"{runs['acme']}/1"})
            self.assertEqual({line.get("parent") for line in lines if line["tenant"] == "acme"}, {None})
            verified = subprocess.run([VOW, "audit", "verify", "--last", last["last"], audit],
                                      capture_output=True, check=False)
            self.assertEqual(verified.returncode, 0, verified.stdout)
            with open(metrics, encoding="utf-8") as file:
                self.assertIn('vow_runs_total{outcome="value",kind="none"} 2\n', file.read())
            same = subprocess.run([VOW, "host", "--audit", audit, "--metrics", audit],
                                  stdin=subprocess.DEVNULL, capture_output=True, check=False)
            self.assertEqual((same.returncode, same.stderr),
                             (2, b"vow host: --audit and --metrics name the same file\n"))

    def test_an_audit_that_cannot_be_written(self):
        peer = Peer(VOW, "--audit", "/dev/full")
        self.addCleanup(peer.kill)
        self.value(peer.report(peer.eval("1")))
        peer.process.stdin.close()
        self.assertEqual(peer.process.wait(timeout=SECONDS), 1)
        peer.listener.join(SECONDS)
        self.assertIn(b"2 events could not be written", peer.errors)


class Load(HostTest):
    def test_thousand_at_once(self):
        peer = self.peer
        peer.register(ECHO)
        numbers = [peer.eval("(await Promise.all([echo(context.i), echo(1), echo(2)])).reduce((a, b) => a + b)",
                             context={"i": i}, wall_ms=600000, op_timeout_ms=600000) for i in range(1000)]
        calls = [peer.call() for _ in range(3000)]
        self.assertEqual(peer.counts()["calls"], 3000)
        for call in reversed(calls):
            peer.fulfil(call, call["params"]["arguments"][0])
        for i, number in enumerate(numbers):
            self.assertEqual(self.value(peer.report(number)), i + 3)
        self.assertEqual(peer.counts(), {"runs": 0, "waiting": 0, "calls": 0, "strays": 0, "logs_dropped": 0,
                                         "progress_dropped": 0})
        peer.end()

    def test_slow_reader(self):
        peer = Peer(VOW, read=False)
        self.addCleanup(peer.kill)
        source = "for (let i = 0; i < 100; i++) console.log('x'.repeat(1000)); 1"
        rounds = 400
        os.set_blocking(peer.process.stdin.fileno(), False)
        lines = b"".join(json.dumps({"jsonrpc": "2.0", "id": i, "method": "eval", "params": {
            "source": source + " ".ljust(2000)}}).encode() + b"\n" for i in range(rounds))
        at, still = 0, 0
        # It takes no more once nobody reads what it writes: a second without a byte.
        while at < len(lines) and still < 20:
            try:
                at += os.write(peer.process.stdin.fileno(), lines[at:at + 65536])
                still = 0
            except BlockingIOError:
                still += 1
                time.sleep(0.05)
        self.assertLess(at, len(lines), "nothing held the writer back")
        with open(f"/proc/{peer.process.pid}/statm", encoding="ascii") as file:
            self.assertLess(int(file.read().split()[1]) * 4096, 600 << 20)
        os.set_blocking(peer.process.stdin.fileno(), True)
        peer.read_on()
        peer.raw(lines[at:])
        self.assertEqual([self.value(peer.report(i)) for i in range(rounds)], [1] * rounds)
        self.assertEqual(sum(m.get("method") == "log" for m in peer.kept), rounds * 100)
        peer.end()

    def test_nobody_reads_results(self):
        """What waits for a place waits for a reader, too: one report is 1 MiB."""
        # A sanitizer would keep freed memory back, and that is counted below.
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
        peer = Peer(VOW, "--max-runs", "4", read=False,
                    env={**os.environ, "ASAN_OPTIONS": options})
        self.addCleanup(peer.kill)
        peer.eval("await sleep(500)")
        rounds = 400
        for _ in range(rounds - 1):
            peer.eval("'x'.repeat(1000000)")
        # The first one holds nobody up: whatever can run has run when its time is over.
        used, still = 0, 0
        while still < 10:
            time.sleep(0.1)
            with open(f"/proc/{peer.process.pid}/stat", encoding="ascii") as file:
                ticks = sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
            used, still = ticks, still + 1 if ticks == used else 0
        with open(f"/proc/{peer.process.pid}/statm", encoding="ascii") as file:
            self.assertLess(int(file.read().split()[1]) * 4096, 250 << 20)
        peer.read_on()
        for number in range(2, rounds + 1):
            self.assertEqual(len(self.value(peer.report(number))), 1000000)
        peer.end()

    def test_too_many_wait(self):
        peer = Peer(VOW, "--max-runs", "1", "--message-mib", "1")
        self.addCleanup(peer.kill)
        first = peer.eval("await sleep(600000)", wall_ms=600000)
        numbers = [peer.eval("1//" + "x" * 1000000) for _ in range(6)]
        codes = [self.code(peer.answer(number)) for number in numbers[4:]]
        self.assertEqual(codes, [-32002, -32002])
        peer.ask("cancel", id=first)
        self.assertEqual([self.value(peer.report(number)) for number in numbers[:4]], [1] * 4)
        peer.end()


class Ends(HostTest):
    def test_nothing_said(self):
        self.peer.end()

    def test_input_ends_while_calls_wait(self):
        peer = self.peer
        peer.register(ECHO)
        number = peer.eval("await echo(1)")
        peer.call()
        peer.process.stdin.close()
        report = peer.report(number)
        self.assertEqual((report["error"]["kind"], report["error"]["message"]),
                         ("api", "the program that has the operation is gone"))
        peer.end()

    def test_input_ends_while_runs_go_on(self):
        peer = self.peer
        numbers = [peer.eval(source, cpu_ms=600000, wall_ms=600000)
                   for source in ("await sleep(100); 5", "await sleep(600000)", "for (;;);")]
        peer.process.stdin.close()
        self.assertEqual(self.value(peer.report(numbers[0])), 5)
        for number, left in zip(numbers[1:], (["timer"], [])):
            self.assertEqual(peer.report(number, left)["outcome"], "cancelled")
        peer.end()

    def test_reader_dies_in_a_call(self):
        peer = Peer(VOW, read=False)
        self.addCleanup(peer.kill)
        peer.ask("register", operations=[ECHO])
        peer.eval("await echo(1)", wall_ms=600000, op_timeout_ms=600000)
        while b'"call"' not in peer.process.stdout.readline():
            pass
        peer.process.stdout.close()  # the input stays open: only writing shows it
        self.assertEqual(peer.process.wait(timeout=SECONDS), 0)
        peer.listener.join(SECONDS)
        self.assertEqual(peer.errors, b"")

    def test_host_is_killed(self):
        """A program in between dies without a word; the process ends by itself."""
        with tempfile.TemporaryDirectory() as folder:
            script = ("import os, signal, subprocess, sys\n"
                      "p = subprocess.Popen([sys.argv[1], 'host'], stdin=-1, stdout=-1)\n"
                      "p.stdin.write(b'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eval\",\"params\":{\"source\":"
                      "\"await sleep(600000)\",\"wall_ms\":600000}}\\n')\n"
                      "p.stdin.write(b'{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\\n'); p.stdin.flush()\n"
                      "p.stdout.readline(); print(p.pid, flush=True)\n"
                      "os.kill(os.getpid(), signal.SIGKILL)\n")
            middle = subprocess.run([sys.executable, "-c", script, VOW], stdout=subprocess.PIPE, cwd=folder,
                                    timeout=SECONDS, check=False)
        pid = int(middle.stdout)
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                    if file.read().rpartition(")")[2].split()[0] == "Z":
                        break  # nobody is left to collect it
            except FileNotFoundError:
                break
            self.assertLess(time.monotonic(), deadline, "it lives on")
            time.sleep(0.02)

    def test_signals(self):
        for number in signal.SIGTERM, signal.SIGINT:
            peer = Peer(VOW)
            self.addCleanup(peer.kill)
            peer.register(ECHO)
            runs = [peer.eval("await echo(1)"), peer.eval("for (;;);", cpu_ms=600000)]
            peer.call()
            peer.process.send_signal(number)
            for run, left in zip(runs, (["echo"], [])):
                self.assertEqual(peer.report(run, left)["outcome"], "cancelled")
            peer.end(130)

    def test_files_and_sockets(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "in")
            with open(path, "wb") as file:
                for i in range(100):
                    file.write(b'{"jsonrpc":"2.0","id":%d,"method":"eval","params":{"source":"%d"}}\n' % (i, i))
            with open(path, "rb") as source, open(os.path.join(folder, "out"), "wb+") as target:
                self.assertEqual(subprocess.run([VOW, "host"], stdin=source, stdout=target, timeout=SECONDS,
                                                check=False).returncode, 0)
                target.seek(0)
                found = {m["id"]: m["result"]["value"] for m in map(json.loads, target)}
            self.assertEqual(found, {i: i for i in range(100)})
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = subprocess.Popen([VOW, "host"], stdin=theirs, stdout=theirs)
            self.addCleanup(process.kill)
            theirs.close()
            ours.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
            self.assertIn(b'"runs":0', ours.recv(65536))
            ours.close()
            self.assertEqual(process.wait(timeout=SECONDS), 0)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([VOW, "host"], input=b"x\n", stdout=full, stderr=subprocess.PIPE,
                                  timeout=SECONDS, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, b"vow host: no space left on device\n"))

    def test_usage(self):
        for words, message in ((["x"], b"takes no arguments"), (["--max-runs", "0"], b"must be 1 to 10000"),
                               (["--allow", "nope"], b"there is no operation 'nope'"),
                               (["--allow", "notes.*", "--db", "sqlite:/no/folder/x"], b"/no/folder/x")):
            done = subprocess.run([VOW, "host", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=SECONDS, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count(b"\n")), (2, b"", 1))
            self.assertIn(message, done.stderr)
        for fd, name in (0, b"input"), (1, b"output"):
            done = subprocess.run([VOW, "host"], preexec_fn=lambda fd=fd: os.close(fd), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=SECONDS, check=False)
            self.assertEqual((done.returncode, done.stderr), (2, b"vow host: standard %s is closed\n" % name))

    def test_built_in_operations(self):
        with tempfile.TemporaryDirectory() as folder:
            peer = Peer(VOW, "--allow", "notes.*", "--db", f"sqlite:{folder}/n.db")
            self.addCleanup(peer.kill)
            peer.register(ECHO)
            self.assertEqual(self.value(peer.report(peer.eval("typeof notes"))), "undefined")
            number = peer.eval("await notes.create({id: 'a', title: await echo('T')}); "
                               "(await notes.get('a')).title", allow=["notes.*", "echo"])
            peer.fulfil(peer.call(), "Title")
            self.assertEqual(self.value(peer.report(number)), "Title")
            self.assertEqual(self.code(peer.answer(peer.ask("register", operations=[{"name": "notes.get"}]))), -32602)
            self.assertIn("get(id: string", peer.answer(peer.ask("types", allow=["notes.*"]))["result"]["types"])
            peer.end()


def main():
    global VOW
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    VOW = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1, warnings="ignore")


if __name__ == "__main__":
    main()
