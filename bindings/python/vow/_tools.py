"""A Python function as an operation that scripts can call."""
from __future__ import annotations

import asyncio
import dataclasses
import inspect
import threading
import typing
from collections import abc
from datetime import datetime
from typing import Any, Callable, Literal, Optional, Union

from ._errors import ToolError

try:
    from types import UnionType
except ImportError:  # before 3.10
    UnionType = None  # type: ignore[assignment,misc]

_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"}, bool: {"type": "boolean"}, float: {"type": "number"},
    int: {"type": "integer"}, bytes: {"type": "bytes"}, datetime: {"type": "date"},
    None: {"type": "null"}, type(None): {"type": "null"}, Any: {}, object: {},
    list: {"type": "array"}, tuple: {"type": "array"}, dict: {"type": "object"},
    inspect.Parameter.empty: {},
}
_LISTS = (list, abc.Sequence, abc.Iterable, abc.Collection)
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)


@dataclasses.dataclass(frozen=True)
class Call:
    """Facts about one call, for a parameter that is annotated with this class."""

    run: Any
    """The id of the run."""
    operation: int
    """The number of the operation in its run."""
    name: str
    remaining_ms: Optional[float]
    """How long the script waits, from when the call was sent; None: as long as it takes."""
    attempt: int
    """Which attempt this is, from 1."""
    calls_left: Optional[float]
    """Operations the run may still create; None: any number."""
    id: int
    """The id of the call."""
    tell: Callable[[Any], None] = dataclasses.field(repr=False)
    cancelled: threading.Event = dataclasses.field(default_factory=threading.Event)
    """Set when nobody waits for the answer any more: for functions in threads."""

    def progress(self, value: Any) -> None:
        """Tells whoever follows the run (`on_progress` of eval) of something before the
        answer. From any thread; nothing once the call is answered. RpcError for a value
        that is longer than a message may be."""
        self.tell(value)


def _object(hints: dict[str, Any], required: abc.Iterable[str]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: schema(hint) for name, hint in hints.items()},
            "required": sorted(required)}


def schema(hint: Any) -> dict[str, Any]:
    """The JSON description of a type hint; TypeError for one that has none."""
    try:
        if hint in _SIMPLE:
            return dict(_SIMPLE[hint])
    except TypeError:  # not hashable
        pass
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is Union or UnionType is not None and origin is UnionType:
        kinds = [schema(argument) for argument in arguments]
        return {"anyOf": kinds} if all(kinds) else {}  # one of them is anything
    if origin in _LISTS and len(arguments) == 1:
        return {"type": "array", "items": schema(arguments[0])}
    if origin is tuple:
        return {"type": "array"}
    if origin in _MAPPINGS and len(arguments) == 2 and arguments[0] in (str, Any):
        return {"type": "object", "additionalProperties": schema(arguments[1])}
    if getattr(origin, "__name__", "") == "Annotated" or hasattr(hint, "__metadata__"):
        return schema(arguments[0])
    if isinstance(hint, type) and hasattr(hint, "__total__"):
        required: abc.Iterable[str] = hint.__required_keys__  # type: ignore[attr-defined]
        return _object(typing.get_type_hints(hint), required)
    if dataclasses.is_dataclass(hint):
        return _object(typing.get_type_hints(hint),
                       [f.name for f in dataclasses.fields(hint)])
    raise TypeError(f"{hint!r} is no type that a script can pass; use Any, or one of str, int, "
                    "float, bool, None, bytes, datetime, list, dict, Optional, Union, Literal, "
                    "TypedDict")


def _element(name: str, hint: Any) -> Any:
    """What one call gives for a parameter of a function that takes several at once."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) not in _LISTS or len(arguments) != 1:
        raise TypeError(f"parameter {name} must be a list, with one item for each call")
    return arguments[0]


def _takes_none(hint: Any) -> bool:
    return hint is Any or hint in (None, type(None)) or type(None) in typing.get_args(hint)


class Tool:
    """A function with its registration."""

    def __init__(self, function: Callable[..., Any], name: Optional[str],
                 policy: dict[str, Any]) -> None:
        self.function = function
        self.name = name or function.__name__
        self.is_batch = "batch_max" in policy
        self.count = 0
        self.call_at: Optional[int] = None
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None))
        try:
            self.registration = self._describe(policy)
        except TypeError as error:
            raise TypeError(f"tool {self.name}: {error}") from None

    def _describe(self, policy: dict[str, Any]) -> dict[str, Any]:
        target = self.function if inspect.isroutine(self.function) else type(self.function).__call__
        hints = typing.get_type_hints(target)
        parameters = []
        for at, parameter in enumerate(inspect.signature(self.function).parameters.values()):
            hint = hints.get(parameter.name, parameter.empty)
            if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                raise TypeError(f"parameter {parameter.name} must be positional")
            optional = parameter.default is not parameter.empty
            if self.is_batch:
                hint = _element(parameter.name, hint)
                optional = _takes_none(hint)
            if hint is Call:
                self.call_at = at
                continue
            self._check_dataclass(parameter.name, hint)
            parameters.append({"name": parameter.name, "schema": schema(hint),
                               "optional": optional})
        self.count = len(parameters)
        result: dict[str, Any] = {"name": self.name, "parameters": parameters}
        if inspect.getdoc(self.function) and inspect.isroutine(self.function):
            result["description"] = inspect.getdoc(self.function)
        if "return" in hints:
            returned = hints["return"]
            result["result"] = schema(_element("return", returned) if self.is_batch else returned)
        if policy:
            result["policy"] = policy
        return result

    @staticmethod
    def _check_dataclass(name: str, hint: Any) -> None:
        if dataclasses.is_dataclass(hint):
            raise TypeError(f"parameter {name} is a dataclass, but scripts pass dicts: "
                            "use a TypedDict")

    async def run(self, call: Call, arguments: list[Any]) -> Any:
        return await self._call(arguments, call)

    async def run_batch(self, calls: list[Call], arguments: list[list[Any]]) -> list[Any]:
        """One item for each call: a value, an exception, or an awaitable of its value."""
        columns = [[given[at] if at < len(given) else None for given in arguments]
                   for at in range(self.count)]
        answers = list(await self._call(columns, calls))
        begun = [asyncio.ensure_future(answer) if inspect.isawaitable(answer) else answer
                 for answer in answers]
        if len(begun) == len(calls):
            return begun
        for answer in begun:
            _give_up(answer)
        raise ValueError(f"{self.name} returned {len(begun)} results for {len(calls)} calls")

    async def _call(self, arguments: list[Any], call: Union[Call, list[Call]]) -> Any:
        if self.call_at is not None:
            arguments = arguments[:self.call_at] + [call] + arguments[self.call_at:]
        if self.is_async:
            return await self.function(*arguments)
        result = await asyncio.to_thread(self.function, *arguments)
        return await result if inspect.isawaitable(result) else result


def _give_up(answer: Any) -> None:
    """Nobody waits for it any more, nor for the error that it may be."""
    if isinstance(answer, asyncio.Future) and not answer.cancel() and not answer.cancelled():
        answer.exception()


class Batch:
    """Calls that came together: one call of the function, and an answer for each."""

    def __init__(self, tool: Tool, calls: list[Call], arguments: list[list[Any]]) -> None:
        self._work = asyncio.ensure_future(tool.run_batch(calls, arguments))
        self._work.add_done_callback(self._on_done)
        self._waiting = set(range(len(calls)))
        self._count = len(calls)

    async def answer(self, at: int) -> Any:
        """The answer of one call; when it is cancelled, the others go on."""
        answer = (await asyncio.shield(self._work))[at]
        if isinstance(answer, asyncio.Future):
            answer = await answer
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def leave(self, at: int) -> None:
        """The call is answered, or nobody waits for it any more."""
        self._waiting.discard(at)
        if self._work.done():
            self._on_left(at)
        elif not self._waiting:
            self._work.cancel()

    def _on_left(self, at: int) -> None:
        if not self._work.cancelled() and not self._work.exception():
            _give_up(self._work.result()[at])

    def _on_done(self, _: object) -> None:
        for at in range(self._count):
            if at not in self._waiting:
                self._on_left(at)


def error_of(error: BaseException) -> dict[str, Any]:
    """The JSON-RPC error for an exception of a tool."""
    data: dict[str, Any]
    if isinstance(error, ToolError):
        data = {"name": error.name, "transient": error.transient}
        if error.code is not None:
            data["code"] = error.code
    elif isinstance(error, asyncio.CancelledError):
        return {"code": -32000, "message": "the call was cancelled", "data": {"name": "AbortError"}}
    else:
        transient = isinstance(error, (TimeoutError, asyncio.TimeoutError, ConnectionError))
        data = {"name": type(error).__name__, "transient": transient}
    return {"code": -32000, "message": str(error) or type(error).__name__, "data": data}
