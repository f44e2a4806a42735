"""A program that uses `vow host`, for tests: it sends lines and looks at lines."""
import json
import os
import queue
import subprocess
import threading

SECONDS = float(os.environ.get("VOW_TEST_SECONDS", "60"))


class Peer:
    """One process. `read=False`: nobody reads its output until read_on()."""

    def __init__(self, vow, *options, read=True, **popen):
        self.process = subprocess.Popen([vow, "host", *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)
        self.lines, self.kept, self.next_id, self.errors = queue.Queue(), [], 0, b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        if read:
            self.reader.start()

    def read_on(self):
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _listen(self):
        self.errors = self.process.stderr.read()

    def raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message):
        self.raw(json.dumps(message).encode() + b"\n")

    def ask(self, method, **params):
        """Sends a request and gives its id."""
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
        return self.next_id

    def eval(self, source, **params):
        """Looks for leaks; report() tells them."""
        return self.ask("eval", source=source, **{"debug": True, **params})

    def register(self, *operations):
        answer = self.answer(self.ask("register", operations=list(operations)))
        assert answer.get("result") == {"registered": len(operations)}, answer

    def line(self):
        """The next line as it came; None at the end."""
        return self.lines.get(timeout=SECONDS)

    def message(self):
        line = self.line()
        assert line is not None, f"the output ended: {self.errors!r}"
        assert line.endswith(b"\n"), line
        return json.loads(line.decode("utf-8"))

    def wait(self, wanted):
        """The first message that `wanted` accepts; others are kept for later."""
        for i, message in enumerate(self.kept):
            if wanted(message):
                return self.kept.pop(i)
        while True:
            message = self.message()
            if wanted(message):
                return message
            self.kept.append(message)

    def answer(self, number):
        return self.wait(lambda m: isinstance(m, dict) and "method" not in m
                         and m.get("id") == number)

    def report(self, number, leaks=()):
        """Of a run that leaves nothing, unless it is one of `leaks`: names of operations."""
        answer = self.answer(number)
        assert "result" in answer, answer
        left = [leak["name"] for leak in answer["result"].get("leaks", [])]
        assert set(left) <= set(leaks), f"outlived the run: {left}"
        return answer["result"]

    def call(self):
        return self.wait(lambda m: isinstance(m, dict) and m.get("method") == "call")

    def calls(self):
        """The next calls that came together: an array."""
        found = self.wait(lambda m: isinstance(m, list))
        assert all(call["method"] == "call" for call in found), found
        return found

    def notification(self, method):
        return self.wait(lambda m: isinstance(m, dict) and m.get("method") == method)["params"]

    def fulfil(self, call, result):
        self.send({"jsonrpc": "2.0", "id": call["id"], "result": result})

    def fail(self, call, message="no", **data):
        self.send({"jsonrpc": "2.0", "id": call["id"],
                   "error": {"code": -32000, "message": message, "data": data}})

    def counts(self):
        return self.answer(self.ask("ping"))["result"]

    def end(self, status=0, errors=b""):
        """Closes the input; the process must end so, with nothing on standard error."""
        self.process.stdin.close()
        found = self.process.wait(timeout=SECONDS)
        self.listener.join(SECONDS)
        assert found == status, f"status {found}: {self.errors!r}"
        assert self.errors == errors, self.errors
        if self.reader.ident:
            self.reader.join(SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=SECONDS)
