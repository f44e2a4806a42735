"""The package against the real program: VOW says where it is."""
import asyncio
import contextlib
import json
import os
import signal
import tempfile
import threading
import unittest
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Dict, List, Literal, Optional, TypedDict, Union

import vow
from vow._values import decode, encode

SECONDS = 60


class Point(TypedDict, total=False):
    x: int


class Values(unittest.TestCase):
    def test_there_and_back(self):
        moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)
        for value in (None, True, 1, -2.5, "é😀", [], {}, b"", b"\x00\xff", 2 ** 53, -2 ** 80, moment,
                      {"$bytes": "AAAA"}, {"$$date": 1}, {"$x": [{"$bigint": "1"}]},
                      {"a": [b"1", {"b": 2 ** 60}], "$bytes": 1, "c": 2}, "$bytes", ['"$bytes":']):
            self.assertEqual(decode(json.loads(encode(value))), value)

    def test_one_way(self):
        @dataclass
        class Pair:
            a: Any
            b: Any
        self.assertEqual(encode(Pair(1, b"x")), '{"a":1,"b":{"$bytes":"eA=="}}')
        self.assertEqual(encode(Pair(2 ** 60, {1})), '{"a":{"$bigint":"1152921504606846976"},"b":[1]}')
        self.assertEqual(encode((1, bytearray(b"x"))), '[1,{"$bytes":"eA=="}]')
        for wrong in float("nan"), object(), [lambda: 0], {(1, 2): 3}:
            self.assertRaises((TypeError, ValueError), encode, wrong)

    def test_what_only_resembles_a_form(self):
        for value in ({"$bytes": "A"}, {"$bytes": 1}, {"$bigint": "x"}, {"$date": "x"}, {"$date": 1e300},
                      {"$bytes": "AAAA", "x": 1}):
            self.assertEqual(decode(value), value)
        self.assertIsNone(decode({"$date": None}))


class Registrations(unittest.TestCase):
    def describe(self, function):
        return vow.Host().tool(function) and vow._tools.Tool(function, None, {}).registration

    def test_hints(self):
        def f(a: str, b: Optional[int], c: List[Dict[str, float]], d: Union[bytes, datetime, None], e: Point,
              f: Literal["x", 1], call: vow.Call, g: Any = None, h=5) -> bool:
            """What it does."""
        found = self.describe(f)
        self.assertEqual((found["name"], found["description"], found["result"]),
                         ("f", "What it does.", {"type": "boolean"}))
        self.assertEqual([p["name"] for p in found["parameters"]], list("abcdefgh"))
        self.assertEqual([p["optional"] for p in found["parameters"]], [False] * 6 + [True] * 2)
        self.assertEqual([p["schema"] for p in found["parameters"]], [
            {"type": "string"}, {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "number"}}},
            {"anyOf": [{"type": "bytes"}, {"type": "date"}, {"type": "null"}]},
            {"type": "object", "properties": {"x": {"type": "integer"}}, "required": []},
            {"enum": ["x", 1]}, {}, {}])

    def test_refused(self):
        def keyword(*, a): pass
        def rest(*a): pass
        def strange(a: threading.Thread): pass
        for function in keyword, rest, strange:
            with self.assertRaisesRegex(TypeError, f"tool {function.__name__}: "):
                vow.Host().tool(function)
        host = vow.Host()
        host.tool(lambda: 1, name="f")
        self.assertRaises(ValueError, host.tool, lambda: 1, name="f")


class Running(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.host = vow.Host()
        await self.host.__aenter__()

    async def asyncTearDown(self):
        counts = None
        with contextlib.suppress(vow.HostGone):
            counts = await self.host.counts()
        await self.host.__aexit__(None, None, None)
        self.assertIn(self.host._process.returncode, (0, -9))
        if counts:
            self.assertEqual((counts["runs"], counts["calls"], counts["strays"]), (0, 0, 0))
        self.assertEqual((self.host._answers, self.host._runs, self.host._calls), ({}, {}, {}))

    async def value(self, source, **options):
        return (await self.host.eval(source, **options)).value

    async def test_value_report_log(self):
        heard = []
        result = await self.host.eval("console.log('a'); console.error('b'); [1, context.x]",
                                      context={"x": "y"}, on_log=heard.append)
        self.assertEqual(result.value, [1, "y"])
        self.assertEqual(result.log, [vow.LogLine("log", "a"), vow.LogLine("error", "b")])
        self.assertEqual(heard, result.log)
        self.assertEqual(result.report["operations"]["live"], 0)
        self.assertEqual(await self.value("({$bytes: 'AAAA'})"), {"$bytes": "AAAA"})

    async def test_tools(self):
        @self.host.tool
        async def add(a: int, b: int = 10) -> int:
            await asyncio.sleep(0)
            return a + b

        @self.host.tool(name="math.thread", timeout_ms=5000)
        def thread(a: float) -> str:
            return threading.current_thread().name

        @self.host.tool
        async def echo(call: vow.Call, value: Any = None):
            assert call.name == "echo" and 0 < call.remaining_ms <= 10000 and call.operation >= 1
            return value
        self.assertEqual(await self.value("await add(1)"), 11)
        self.assertEqual(await self.value("await add(1, 2)"), 3)
        self.assertNotEqual(await self.value("await math.thread(1)"), threading.current_thread().name)
        self.assertEqual(await self.value("typeof add", allow=["echo"]), "undefined")
        self.assertEqual(await self.value(
            "const b = await echo(new Uint8Array([7])), i = await echo(2n ** 70n), d = await echo(new Date(5)); "
            "[b instanceof Uint8Array, b[0], i === 2n ** 70n, d.getTime(), await echo({$bytes: 'AAAA'}), "
            "await echo()]"), [True, 7, True, 5, {"$bytes": "AAAA"}, None])
        with self.assertRaises(vow.OperationError) as caught:
            await self.value("await add('1')")
        self.assertEqual((caught.exception.name, caught.exception.message),
                         ("TypeError", "add: a must be an integer, not a string"))
        self.assertIn("add(a: number, b?: number, options?: CallOptions): Promise<number>", await self.host.types())

    async def test_errors_of_tools(self):
        @self.host.tool
        async def fail(how: str):
            raise {"tool": vow.ToolError("gone", name="NotFoundError", code="GONE", transient=True),
                   "value": ValueError("bad"), "time": asyncio.TimeoutError(), "none": KeyError()}[how]

        @self.host.tool
        def unsendable():
            return object()
        ask = "await fail(context).catch((e) => [e.name, e.code, e.message, e.transient, e instanceof NotFoundError])"
        self.assertEqual(await self.value(ask, context="tool"), ["NotFoundError", "GONE", "gone", True, True])
        self.assertEqual(await self.value(ask, context="value"), ["ValueError", None, "bad", False, False])
        self.assertEqual((await self.value(ask, context="time"))[0:4:3], ["TimeoutError", True])
        self.assertEqual((await self.value(ask, context="none"))[:3], ["KeyError", None, "KeyError"])
        with self.assertRaisesRegex(vow.OperationError, "a object cannot be sent") as caught:
            await self.value("await unsendable()")
        self.assertEqual(caught.exception.operation["name"], "unsendable")

    async def test_errors_of_runs(self):
        for source, options, kind, name in (
                ("null.x", {}, vow.ScriptError, "script"), ("await new Promise(() => {})", {}, vow.DeadlockError, "deadlock"),
                ("for (;;);", {"cpu_ms": 20}, vow.LimitError, "cpu"),
                ("await sleep(60000)", {"wall_ms": 20}, vow.LimitError, "timeout")):
            with self.assertRaises(kind) as caught:
                await self.value(source, **options)
            self.assertEqual(caught.exception.kind, name)
            self.assertIsInstance(caught.exception, vow.EvalError)
        result = await self.host.eval("null.x", check=False)
        self.assertEqual((result.value, result.report["outcome"]), (None, "error"))
        with self.assertRaisesRegex(vow.RpcError, "cpu_ms must be") as caught:
            await self.value("1", cpu_ms=0)
        self.assertEqual(caught.exception.code, -32602)
        self.host.tool(lambda: 1, name="bad name")
        with self.assertRaisesRegex(vow.RpcError, "no name for an operation"):
            await self.value("1")
        self.assertEqual(await self.value("1"), 1)

    async def test_cancelling_a_run(self):
        started, ended = asyncio.Event(), []

        @self.host.tool
        async def wait():
            started.set()
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise
        task = asyncio.ensure_future(self.value("await wait()"))
        await asyncio.wait_for(started.wait(), SECONDS)
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        while (await self.host.counts())["calls"]:
            pass
        self.assertEqual(ended, ["cancelled"])
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(self.value("for (;;);", cpu_ms=600000), 0.05)
        while (await self.host.counts())["runs"]:
            pass

    async def test_calls_that_the_script_gives_up(self):
        told = threading.Event()

        @self.host.tool
        def thread(call: vow.Call):
            if call.cancelled.wait(SECONDS):
                told.set()

        @self.host.tool
        async def stubborn():
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                return "an answer that nobody wants"
        for name in "thread", "stubborn":
            self.assertEqual(await self.value(f"await {name}({{timeout: 30}}).catch((e) => e.name)"), "TimeoutError")
        self.assertTrue(await asyncio.to_thread(told.wait, SECONDS))
        while (await self.host.counts())["calls"]:
            pass

    async def test_many_at_once(self):
        @self.host.tool
        async def double(n: int) -> int:
            await asyncio.sleep(0)
            return 2 * n
        values = await asyncio.gather(*(self.value(
            "(await Promise.all([double(context), double(1), double(2)])).reduce((a, b) => a + b)",
            context=i, wall_ms=600000, op_timeout_ms=600000) for i in range(300)))
        self.assertEqual(values, [2 * i + 6 for i in range(300)])

    async def test_large_messages(self):
        @self.host.tool
        async def echo(value: str) -> str:
            return value
        self.assertEqual(await self.value("(await echo('x'.repeat(5e6))).length"), 5000000)
        with self.assertRaises(vow.RpcError) as caught:
            await self.value(" " * (17 << 20))
        self.assertEqual(caught.exception.code, -32001)

        @self.host.tool
        async def large():
            return "x" * (17 << 20)
        with self.assertRaisesRegex(vow.OperationError, "longer than 16777216 bytes"):
            await self.value("await large()")

    async def test_the_program_dies(self):
        started = asyncio.Event()

        @self.host.tool
        async def wait():
            started.set()
            await asyncio.sleep(600)
        task = asyncio.ensure_future(self.value("await wait()"))
        await asyncio.wait_for(started.wait(), SECONDS)
        os.kill(self.host.pid, signal.SIGKILL)
        with self.assertRaises(vow.HostGone):
            await task
        with self.assertRaises(vow.HostGone):
            await self.value("1")

    async def test_progress(self):
        told = []

        async def slow(call: vow.Call) -> int:
            call.progress({"half": b"\x00"})
            return 1

        def threaded(call: vow.Call) -> int:
            call.progress("from a thread")
            return call.calls_left

        self.host.tool(slow)
        self.host.tool(threaded)
        result = await self.host.eval("await slow(); await threaded()", on_progress=told.append,
                                      max_ops=7)
        self.assertEqual(result.value, 5)
        self.assertEqual([(p.name, p.event) for p in told],
                         [(name, event) for name in ("slow", "threaded")
                          for event in ("created", "started", "progress", "settled")])
        self.assertEqual([p.value for p in told if p.event == "progress"],
                         [{"half": b"\x00"}, "from a thread"])
        self.assertEqual(told[-1].state, "fulfilled")
        self.assertIn('vow_operations_total{kind="slow",state="fulfilled"} 1\n',
                      await self.host.metrics())

    async def test_progress_that_is_too_long(self):
        """Whoever tells hears of it, in a thread as well; the call goes on."""
        def tell(call: vow.Call) -> int:
            try:
                call.progress("x" * (17 << 20))
            except vow.RpcError as error:
                return error.code
            return 0

        async def tell_here(call: vow.Call) -> int:
            return tell(call)
        self.host.tool(tell)
        self.host.tool(tell_here)
        self.assertEqual(await self.value("[await tell(), await tell_here()]"), [-32001, -32001])

    # So that only the last call of a batch lets it go.
    PATIENT = {"batch_window_ms": 3600000}

    async def test_batches(self):
        """One call of the function; each item of its answer settles its call alone."""
        loop, asked, kept = asyncio.get_running_loop(), [], []

        async def fail(wait: float) -> int:
            await asyncio.sleep(wait)
            raise vow.ToolError("late", name="ConflictError")

        async def many(keys: List[str], by: List[Optional[int]], calls: List[vow.Call]) -> List[int]:
            """Several at once"""
            asked.append((keys, by, [call.operation for call in calls]))
            kept.append(loop.create_future())
            loop.call_later(0.01, kept[0].set_result, 9)
            return [len(keys[0]), vow.ToolError("no", name="NotFoundError"), fail(0), kept[0]]
        self.host.tool(many, batch_max=5, **self.PATIENT)
        result = await self.host.eval("""
          (await Promise.allSettled([many("abc"), many("b", 2), many("c", null), many("d"), many(5)]))
            .map((end) => end.value ?? end.reason.name)""")
        self.assertEqual(result.value, [3, "NotFoundError", "ConflictError", 9, "TypeError"])
        self.assertEqual(asked, [(["abc", "b", "c", "d"], [None, 2, None, None], [1, 2, 3, 4])])
        self.assertEqual(result.report["operations"]["batched"], 5)
        self.assertIn("/** Several at once */\ndeclare function many(keys: string, by?: (number | null), "
                      "options?: CallOptions): Promise<number>;", await self.host.types())

    async def test_batches_that_fail(self):
        async def raises(keys: List[int]) -> List[int]:
            raise KeyError("k")

        def short(keys: List[int]) -> List[int]:
            return keys[1:]
        self.host.tool(raises, batch_max=2, **self.PATIENT)
        self.host.tool(short, batch_max=2, **self.PATIENT)
        ask = ("(await Promise.allSettled([%s(1), %s(2)])).map((end) => end.reason.message)")
        self.assertEqual(await self.value(ask.replace("%s", "raises")), ["'k'", "'k'"])
        self.assertEqual(await self.value(ask.replace("%s", "short")),
                         ["short returned 1 results for 2 calls"] * 2)
        for wrong in (lambda key: [key]), (lambda *keys: keys):
            with self.assertRaisesRegex(TypeError, "parameter keys? must be"):
                self.host.tool(wrong, name="wrong", batch_max=2)

    async def test_batches_are_cancelled(self):
        """A call alone, while the others go on; the function, when nobody waits for any."""
        ended, begun = [], asyncio.Event()

        async def many(keys: List[str]) -> List[Any]:
            begun.set()
            try:
                if keys[0] == "all":
                    await asyncio.sleep(600)
                return [self.wait_for_ever(ended), "b"]
            except asyncio.CancelledError:
                ended.append("all")
                raise

        async def until_begun() -> None:
            await begun.wait()
            begun.clear()
        self.host.tool(many, batch_max=2, **self.PATIENT)
        self.host.tool(until_begun)
        source = """
          const all = context.map((key) => {
            const controller = new AbortController();
            const answer = many(key, { signal: controller.signal }).catch((e) => e.name);
            return { controller, answer };
          });
          await until_begun();
          for (const i in all) if (context[i] !== "b") all[i].controller.abort();
          await Promise.all(all.map(({ answer }) => answer))"""
        self.assertEqual(await self.value(source, context=["a", "b"]), ["AbortError", "b"])
        self.assertEqual(await self.value(source, context=["all", "all"]), ["AbortError"] * 2)
        while (await self.host.counts())["calls"]:
            await asyncio.sleep(0.01)
        self.assertEqual(ended, ["one", "all"])

    @staticmethod
    async def wait_for_ever(ended):
        try:
            await asyncio.sleep(600)
        finally:
            ended.append("one")

    async def test_callbacks_that_fail(self):
        failed = []
        asyncio.get_running_loop().set_exception_handler(lambda _, about: failed.append(about))

        def fail(_):
            raise ValueError("mine")

        self.host.tool(lambda: 1, name="one")
        result = await self.host.eval("console.log('x'); await one()", on_log=fail,
                                      on_progress=fail)
        self.assertEqual(result.value, 1)
        self.assertEqual({str(about["exception"]) for about in failed}, {"mine"})
        self.assertEqual((await self.host.eval("2")).value, 2)

    async def test_nested(self):
        inner, running = [], asyncio.Event()

        async def nest(call: vow.Call) -> int:
            try:
                await self.host.eval("console.log('runs'); await sleep(60000)", parent=call,
                                     on_log=lambda _: running.set())
            except vow.RunCancelled as error:
                inner.append(error.kind)
            return 1

        def nest_in_thread(call: vow.Call) -> int:
            loop = self.loop
            return asyncio.run_coroutine_threadsafe(nest(call), loop).result()

        async def until_running() -> None:
            await running.wait()

        self.loop = asyncio.get_running_loop()
        self.host.tool(nest_in_thread)
        self.host.tool(until_running)
        result = await self.host.eval("""
          const controller = new AbortController();
          const name = nest_in_thread({ signal: controller.signal }).catch((e) => e.name);
          await until_running();
          controller.abort();
          await name""")
        self.assertEqual(result.value, "AbortError")
        while not inner:
            await asyncio.sleep(0.01)
        self.assertEqual(inner, ["cancelled"])
        while (await self.host.counts())["calls"]:
            await asyncio.sleep(0.01)


class Opening(unittest.IsolatedAsyncioTestCase):
    async def test_database(self):
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):
                async with vow.Host(db=f"sqlite:{folder}/n.db", allow=["notes.*"], vault="v") as host:
                    self.assertEqual((await host.eval("typeof notes")).value, "undefined")
                    result = await host.eval("await notes.get('a').catch(() => notes.create({id: 'a', title: 'T'}))",
                                             allow=["notes.*"])
                    self.assertEqual(result.value["title"], "T")

    async def test_cannot_be_opened(self):
        for options in {"path": "/no/such/program"}, {"allow": "nothing"}, {"path": "/bin/true"}:
            with self.assertRaises(vow.HostGone):
                async with vow.Host(**options):
                    self.fail("it was opened")
        with self.assertRaises(vow.HostGone):
            await vow.Host().eval("1")

    async def test_closing_ends_runs_and_calls(self):
        async with vow.Host() as host:
            started = asyncio.Event()

            @host.tool
            async def wait():
                started.set()
                await asyncio.sleep(600)
            task = asyncio.ensure_future(host.eval("await wait()"))
            await asyncio.wait_for(started.wait(), SECONDS)
        with self.assertRaises(vow.VowError):
            await task
        self.assertEqual(host._process.returncode, 0)


if __name__ == "__main__":
    unittest.main()
