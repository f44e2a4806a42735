"""One vow process, and what goes to and fro."""
from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import json
import os
import shutil
import threading
from typing import Any, Awaitable, Callable, Optional, Sequence, TypeVar, Union, overload

from ._errors import BusyError, HostGone, RpcError, VowError, eval_error
from ._tools import Batch, Call, Tool, error_of
from ._values import decode, encode

_CHUNK = 1 << 18
_BUSY = -32002
_TOO_LARGE = -32001
_CLOSE_SECONDS = 10.0
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class LogLine:
    """What a script printed: `level` is debug, log, warn or error."""

    level: str
    text: str


@dataclasses.dataclass(frozen=True)
class Progress:
    """Something an operation of a run did: `event` is created, queued, started, retried,
    cache_hit, settled, timed_out, cancelled, denied, late; or progress, with what its tool
    told in `value`. The other fields are None where there is nothing to say."""

    event: str
    operation: int
    name: str
    detail: Optional[str] = None
    state: Optional[str] = None
    error: Optional[str] = None
    attempt: Optional[int] = None
    at_ms: Optional[float] = None
    age_ms: Optional[float] = None
    value: Any = None


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run came to: its value, as JSON has it, and its whole report."""

    value: Any
    report: dict[str, Any]
    log: list[LogLine]


@dataclasses.dataclass
class _Run:
    log: list[LogLine]
    on_log: Optional[Callable[[LogLine], None]]
    on_progress: Optional[Callable[[Progress], None]]


def _program(path: Union[str, os.PathLike[str], None]) -> str:
    found = os.fspath(path) if path else os.environ.get("VOW") or shutil.which("vow")
    if not found:
        raise HostGone("the vow program is not found: give Host(path=...), set VOW, or put it on "
                       "the PATH")
    return found


def _call_back(function: Callable[[Any], Any], argument: Any) -> None:
    """An error in it is its owner's: messages go on."""
    try:
        function(argument)
    except Exception as error:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"{function!r} failed", "exception": error})


class Host:
    """Runs scripts in a vow process, which lives from `async with` to its end.

    `path` is the program. `allow` names the built-in operations, such as notes.*,
    that runs may be allowed; they use the database `db` and its vault `vault`. `audit`
    and `metrics` are files that the program writes (docs/host.md).
    """

    def __init__(self, path: Union[str, os.PathLike[str], None] = None, *,
                 allow: Union[str, Sequence[str], None] = None, db: Optional[str] = None,
                 vault: Optional[str] = None, message_mib: Optional[int] = None,
                 max_runs: Optional[int] = None,
                 audit: Union[str, os.PathLike[str], None] = None,
                 metrics: Union[str, os.PathLike[str], None] = None) -> None:
        self._path = path
        listed = allow if allow is None or isinstance(allow, str) else ",".join(allow)
        options = {"allow": listed, "db": db, "vault": vault, "message-mib": message_mib,
                   "max-runs": max_runs, "audit": audit and os.fspath(audit),
                   "metrics": metrics and os.fspath(metrics)}
        self._options = [f"--{name}={value}" for name, value in options.items()
                         if value is not None]
        self._tools: dict[str, Tool] = {}
        self._unregistered: list[Tool] = []
        self._registering: Optional[asyncio.Lock] = None
        self._draining: Optional[asyncio.Lock] = None
        self._process: Optional[asyncio.subprocess.Process] = None
        self._reader: Optional[asyncio.Task[None]] = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._runs: dict[int, _Run] = {}
        self._calls: dict[int, tuple[asyncio.Task[None], Call]] = {}
        self._telling: set[int] = set()
        self._next_id = 0
        self._message_max = 1 << 20
        self._gone: Optional[HostGone] = None

    # ---- the process ----

    async def __aenter__(self) -> Host:
        if self._process:
            raise VowError("this Host was entered before: make a new one")
        program = _program(self._path)
        self._registering, self._draining = asyncio.Lock(), asyncio.Lock()
        try:
            self._process = await asyncio.create_subprocess_exec(
                program, "host", *self._options, stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE)
        except OSError as error:
            raise HostGone(f"the vow program cannot be started: {error}") from error
        self._reader = asyncio.ensure_future(self._read())
        try:
            self._message_max = (await self._request("version"))["message_bytes_max"]
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        """Runs are ended by the process when its input ends; calls, here."""
        self._gone = self._gone or HostGone("the host was closed")
        tasks = [task for task, _ in self._calls.values()]
        for task, call in list(self._calls.values()):
            call.cancelled.set()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        process = self._process
        assert process and process.stdin and self._reader
        process.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._reader), _CLOSE_SECONDS)
            await asyncio.wait_for(process.wait(), _CLOSE_SECONDS)
        except asyncio.TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            self._reader.cancel()

    @property
    def pid(self) -> int:
        """The process id of the vow program."""
        if not self._process:
            raise HostGone("the host was not entered: use `async with`")
        return self._process.pid

    # ---- messages ----

    async def _read(self) -> None:
        process = self._process
        assert process and process.stdout
        rest: list[bytes] = []
        try:
            while True:
                chunk = await process.stdout.read(_CHUNK)
                if not chunk:
                    break
                head, newline, tail = chunk.rpartition(b"\n")
                rest.append(head if newline else tail)
                if newline:
                    for line in b"".join(rest).split(b"\n"):
                        self._on_line(line)
                    rest = [tail]
        finally:
            await self._on_end()

    async def _on_end(self) -> None:
        assert self._process
        self._gone = self._gone or HostGone("the vow program has ended")
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(self._gone)
        self._answers.clear()
        for task, call in list(self._calls.values()):
            call.cancelled.set()
            task.cancel()

    def _on_line(self, line: bytes) -> None:
        message = json.loads(line)
        if isinstance(message, list):
            self._on_calls(message, b'"$' in line)
            return
        method = message.get("method")
        if method is None:
            answer = self._answers.pop(message.get("id"), None)
            if answer and not answer.done():
                answer.set_result(message)
        elif method == "call":
            self._on_call(message, b'"$' in line)
        elif method == "log":
            self._on_log(message["params"])
        elif method == "progress":
            self._on_progress(message["params"], b'"$' in line)
        elif method == "cancelled":
            found = self._calls.get(message["params"]["call"])
            if found:
                found[1].cancelled.set()
                # A thread cannot be stopped: its answer is awaited as it is.
                if self._tools[found[1].name].is_async:
                    found[0].cancel()

    def _on_log(self, params: dict[str, Any]) -> None:
        run = self._runs.get(params["run"])
        if not run:
            return
        line = LogLine(params["level"], params["text"])
        run.log.append(line)
        if run.on_log:
            _call_back(run.on_log, line)

    def _on_progress(self, params: dict[str, Any], forms: bool) -> None:
        run = self._runs.get(params.pop("run"))
        if forms and "value" in params:
            params["value"] = decode(params["value"])
        if run and run.on_progress:
            _call_back(run.on_progress, Progress(**params))

    def _teller(self, number: int) -> Callable[[Any], None]:
        """What tells of a call, from any thread, until it is answered."""
        loop, here = asyncio.get_running_loop(), threading.get_ident()

        def write(text: str) -> None:
            if number in self._telling:
                with contextlib.suppress(HostGone):
                    self._write(text)

        def tell(value: Any) -> None:
            if number not in self._telling:
                return
            text = ('{"jsonrpc":"2.0","method":"progress","params":'
                    f'{{"call":{number},"value":{encode(value)}}}}}')
            self._check_size(text)  # in the thread of who tells: there it can be raised
            if threading.get_ident() == here:
                write(text)
            else:
                loop.call_soon_threadsafe(write, text)
        self._telling.add(number)
        return tell

    def _check_size(self, text: str) -> None:
        if len(text) > self._message_max:  # the program's answer could not say to what
            raise RpcError(_TOO_LARGE, f"the message is longer than {self._message_max} bytes")

    def _write(self, text: str) -> None:
        if self._gone:
            raise self._gone
        if not self._process or not self._process.stdin:
            raise HostGone("the host was not entered: use `async with`")
        self._check_size(text)
        self._process.stdin.write(text.encode("ascii") + b"\n")

    async def _drain(self) -> None:
        """Waits while the process does not keep up; one task at a time."""
        assert self._process and self._process.stdin and self._draining
        async with self._draining:
            with contextlib.suppress(ConnectionError):
                await self._process.stdin.drain()

    async def _request(self, method: str, params: Optional[dict[str, Any]] = None,
                       number: Optional[int] = None) -> Any:
        if number is None:
            number = self._take_id()
        text = encode(params or {})
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            self._write(f'{{"jsonrpc":"2.0","id":{number},"method":"{method}","params":{text}}}')
            await self._drain()
            message = await answer
        finally:
            self._answers.pop(number, None)
        if "error" in message:
            code, told = message["error"]["code"], message["error"]["message"]
            raise BusyError(code, told) if code == _BUSY else RpcError(code, told)
        return message["result"]

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id

    # ---- tools ----

    @overload
    def tool(self, function: _Function, *, name: Optional[str] = None,
             **policy: Any) -> _Function: ...

    @overload
    def tool(self, function: None = None, *, name: Optional[str] = None,
             **policy: Any) -> Callable[[_Function], _Function]: ...

    def tool(self, function: Any = None, *, name: Optional[str] = None, **policy: Any) -> Any:
        """Lets scripts call `function`, by its name or by `name` ("weather.get").

        Its type hints say what the arguments are, its docstring what it does. Further
        keywords are policy: timeout_ms, attempts, ... (docs/host.md). With `batch_max` it
        takes several calls at once: each parameter is a list with one item for each call,
        and so is what it returns, of values, exceptions, and awaitables. May be used as a
        decorator, with or without arguments. TypeError for hints that scripts cannot
        meet. The process hears of it before the next eval() or types().
        """
        if function is None:
            return lambda function: self.tool(function, name=name, **policy)
        made = Tool(function, name, policy)
        if made.name in self._tools:
            raise ValueError(f"there is a tool {made.name} already")
        self._tools[made.name] = made
        self._unregistered.append(made)
        return function

    async def _register(self) -> None:
        assert self._registering or self._gone is None
        if not self._registering:
            raise HostGone("the host was not entered: use `async with`")
        async with self._registering:
            while self._unregistered:
                tool = self._unregistered[0]
                try:
                    await self._request("register", {"operations": [tool.registration]})
                except RpcError:
                    del self._tools[tool.name]
                    self._unregistered.remove(tool)
                    raise
                self._unregistered.remove(tool)

    def _call_of(self, message: dict[str, Any], forms: bool) -> tuple[Call, list[Any]]:
        number, params = message["id"], message["params"]
        call = Call(params["run"], params["operation"], params["name"], params["remaining_ms"],
                    params["attempt"], params["calls_left"], number, self._teller(number))
        return call, decode(params["arguments"]) if forms else params["arguments"]

    def _begin(self, call: Call, work: Callable[[], Awaitable[Any]]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(self._answer(call.id, work))
        self._calls[call.id] = (task, call)
        # A task that is cancelled before it began has answered nothing.
        task.add_done_callback(lambda task: self._on_answered(call.id, task))
        return task

    def _on_call(self, message: dict[str, Any], forms: bool) -> None:
        call, arguments = self._call_of(message, forms)
        self._begin(call, functools.partial(self._tools[call.name].run, call, arguments))

    def _on_calls(self, messages: list[dict[str, Any]], forms: bool) -> None:
        """Calls that came together are one call of the function, each with an answer."""
        calls, arguments = [], []
        for message in messages:
            call, given = self._call_of(message, forms)
            calls.append(call)
            arguments.append(given)
        batch = Batch(self._tools[calls[0].name], calls, arguments)
        for at, call in enumerate(calls):
            task = self._begin(call, functools.partial(batch.answer, at))
            task.add_done_callback(lambda _, at=at: batch.leave(at))  # type: ignore[misc]

    def _send_error(self, number: int, error: BaseException) -> None:
        self._telling.discard(number)
        with contextlib.suppress(HostGone):
            self._write(f'{{"jsonrpc":"2.0","id":{number},"error":{json.dumps(error_of(error))}}}')

    def _on_answered(self, number: int, task: asyncio.Task[None]) -> None:
        del self._calls[number]
        if task.cancelled():
            self._send_error(number, asyncio.CancelledError())

    async def _answer(self, number: int, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            value = encode(await work())
            self._telling.discard(number)
            self._write(f'{{"jsonrpc":"2.0","id":{number},"result":{value}}}')
        except HostGone:
            return
        except Exception as error:  # whatever a tool raises is the script's to see
            self._send_error(number, error)
        await self._drain()

    # ---- runs ----

    async def eval(self, source: str, *, name: Optional[str] = None, module: bool = False,
                   context: Any = None, allow: Optional[Sequence[str]] = None,
                   cpu_ms: Optional[int] = None, wall_ms: Optional[int] = None,
                   op_timeout_ms: Optional[int] = None, memory_mib: Optional[int] = None,
                   stack_kib: Optional[int] = None, result_kib: Optional[int] = None,
                   log_kib: Optional[int] = None, max_ops: Optional[int] = None,
                   max_concurrent: Optional[int] = None,
                   max_queued: Optional[int] = None, debug: bool = False,
                   on_log: Optional[Callable[[LogLine], None]] = None,
                   on_progress: Optional[Callable[[Progress], None]] = None,
                   tenant: Optional[str] = None, parent: Optional[Call] = None,
                   check: bool = True) -> Result:
        """Runs a script; several may run at once. Raises an EvalError when it comes to no
        value, unless `check` is false. The limits are those of `vow eval`. `allow` names
        the operations it may call; without it, all tools and nothing built in.
        Cancelling the task cancels the run. `tenant` is on whose behalf it runs, for the
        audit; `parent` is the call whose tool asks for this run, which then ends with it."""
        await self._register()
        params = {"source": source, "name": name, "module": module, "context": context,
                  "allow": None if allow is None else list(allow), "cpu_ms": cpu_ms,
                  "wall_ms": wall_ms, "op_timeout_ms": op_timeout_ms, "memory_mib": memory_mib,
                  "stack_kib": stack_kib, "result_kib": result_kib, "log_kib": log_kib,
                  "max_ops": max_ops, "max_concurrent": max_concurrent,
                  "max_queued": max_queued, "debug": debug,
                  "progress": on_progress is not None, "tenant": tenant,
                  "parent": None if parent is None else parent.id}
        number, run = self._take_id(), _Run([], on_log, on_progress)
        self._runs[number] = run
        try:
            report = await self._request(
                "eval", {key: item for key, item in params.items() if item is not None}, number)
        except asyncio.CancelledError:
            self._cancel(number)
            raise
        finally:
            del self._runs[number]
        if check and report["outcome"] != "value":
            raise eval_error(report, run.log)
        return Result(report.get("value"), report, run.log)

    def _cancel(self, number: int) -> None:
        with contextlib.suppress(HostGone):
            self._write(f'{{"jsonrpc":"2.0","method":"cancel","params":{{"id":{number}}}}}')

    async def types(self, allow: Optional[Sequence[str]] = None) -> str:
        """TypeScript declarations of what a run may call: for a prompt."""
        await self._register()
        answer = await self._request("types", {"allow": None if allow is None else list(allow)})
        types: str = answer["types"]
        return types

    async def counts(self) -> dict[str, int]:
        """What is going on: runs, waiting, calls, strays, logs_dropped, progress_dropped."""
        answer: dict[str, int] = await self._request("ping")
        return answer

    async def metrics(self) -> str:
        """Counts and times since the start, as text for Prometheus."""
        answer = await self._request("metrics")
        text: str = answer["metrics"]
        return text
