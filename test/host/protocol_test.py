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
        report = self.peer.report(self.peer.eval("1 + 1"))
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
        self.assertEqual(params, {"run": number, "operation": 1, "name": "weather.get",
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

    def test_limits(self):
        peer = self.peer
        for source, limits, kind in (
                ("for (;;);", {"cpu_ms": 20}, "cpu"), ("await sleep(60000)", {"wall_ms": 20}, "timeout"),
                ("'x'.repeat(3000)", {"result_kib": 1}, "result"),
                ("console.log('x'.repeat(3000))", {"log_kib": 1}, "output"),
                ("const a = []; for (;;) a.push(new Uint8Array(1e6))", {"memory_mib": 8}, "memory"),
                ("function f() { f() } f()", {"stack_kib": 32}, "stack"),
                ("echo(); echo(); 1", {"max_ops": 1}, "operations")):
            if "echo" in source:
                peer.register(ECHO)
            report = peer.report(peer.eval(source, **limits))
            self.assertEqual((report["outcome"], report["error"]["kind"]), ("limit", kind), report)
        peer.end()

    def test_logs_come_before_the_answer(self):
        number = self.peer.eval("console.log('a\\n', 1); console.error('b'); 7")
        seen = [self.peer.message() for _ in range(3)]
        self.assertEqual([m.get("method") for m in seen], ["log", "log", None])
        self.assertEqual(seen[0]["params"], {"run": number, "level": "log", "text": "a\n 1"})
        self.assertEqual(seen[1]["params"], {"run": number, "level": "error", "text": "b"})
        self.assertEqual(self.value(seen[2]["result"]), 7)
        self.peer.end()


def main():
    global VOW
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    VOW = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)


if __name__ == "__main__":
    main()
