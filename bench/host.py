#!/usr/bin/env python3
"""What a run of 3 host calls costs through `vow host`, in one process.

    host.py VOW [RUNS]

Runs one after the other, each with 3 calls one after the other: over bare pipes
(what the program itself costs), and by the Python package. Prints a table, then
one line of JSON. Times are microseconds, of the wall clock.
"""
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bindings/python"))
import vow  # noqa: E402

CALLS = 3
TARGET_US = 1000
SOURCE = "let n = 0; for (let i = 0; i < context; i++) n = await add(n, 1); n"
ADD = {"name": "add", "parameters": [{"name": "a", "schema": {"type": "integer"}},
                                     {"name": "b", "schema": {"type": "integer"}}]}


class Bare:
    """Lines over pipes, with no more around them than there must be."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "host"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.ask("register", {"operations": [ADD]})

    def ask(self, method, params):
        to, back = self.process.stdin, self.process.stdout
        to.write(json.dumps({"jsonrpc": "2.0", "id": "x", "method": method,
                             "params": params}).encode() + b"\n")
        to.flush()
        while True:
            message = json.loads(back.readline())
            if message.get("method") != "call":
                return message["result"]
            a, b = message["params"]["arguments"]
            to.write(b'{"jsonrpc":"2.0","id":%d,"result":%d}\n' % (message["id"], a + b))
            to.flush()

    def run(self, calls):
        assert self.ask("eval", {"source": SOURCE, "context": calls})["value"] == calls

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


def measured(times):
    times.sort()
    return {"median_us": round(statistics.median(times) * 1e6, 1),
            "p90_us": round(times[len(times) * 9 // 10] * 1e6, 1)}


def bare(program, runs):
    peer, figures = Bare(program), {}
    for calls in 0, CALLS:
        times = []
        for i in range(runs + runs // 10):
            begun = time.perf_counter()
            peer.run(calls)
            if i >= runs // 10:
                times.append(time.perf_counter() - begun)
        figures[calls] = measured(times)
    begun = time.perf_counter()
    for _ in range(runs):
        peer.ask("ping", {})
    figures["ping"] = {"mean_us": round((time.perf_counter() - begun) / runs * 1e6, 1)}
    peer.close()
    return figures


async def package(program, runs):
    async with vow.Host(program) as host:
        @host.tool
        async def add(a: int, b: int) -> int:
            return a + b
        times = []
        for i in range(runs + runs // 10):
            begun = time.perf_counter()
            result = await host.eval(SOURCE, context=CALLS)
            if i >= runs // 10:
                times.append(time.perf_counter() - begun)
            assert result.value == CALLS
        begun = time.perf_counter()
        many = 16
        for _ in range(max(1, runs // many)):
            await asyncio.gather(*(host.eval(SOURCE, context=CALLS) for _ in range(many)))
        together = (time.perf_counter() - begun) / (max(1, runs // many) * many)
    return dict(measured(times), together_us=round(together * 1e6, 1))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    program, runs = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    pipes = bare(program, runs)
    python = asyncio.run(package(program, runs))
    call = round((pipes[CALLS]["median_us"] - pipes[0]["median_us"]) / CALLS, 1)
    for name, told in (("a message there and back (ping)", f"{pipes['ping']['mean_us']} (mean)"),
                       ("a run without calls", pipes[0]["median_us"]),
                       (f"a run of {CALLS} calls", pipes[CALLS]["median_us"]),
                       ("... of which one call", call),
                       (f"a run of {CALLS} calls, Python package", python["median_us"]),
                       ("... 16 at once, each", f"{python['together_us']} (mean)")):
        print(f"{name:42} {told} us")
    met = "met" if pipes[CALLS]["median_us"] <= TARGET_US else "MISSED"
    print(f"  a run of {CALLS} calls: <= {TARGET_US} us {met}")
    print(json.dumps({"bench": "host", "runs": runs, "calls": CALLS, "ping": pipes["ping"],
                      "run_0": pipes[0], "run_3": pipes[CALLS], "call_us": call, "python": python}))


if __name__ == "__main__":
    main()
