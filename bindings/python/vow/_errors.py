"""What may go wrong, as exceptions."""
from __future__ import annotations

from typing import Any, Optional


class VowError(Exception):
    """Every error of this package."""


class HostGone(VowError):
    """The vow program has ended, or was never started."""


class RpcError(VowError):
    """The program refused a request: `code` as in docs/host.md."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class BusyError(RpcError):
    """Too many runs wait already: it may be tried again later."""


class ToolError(VowError):
    """Raised by a tool: the error that the script sees.

    `name` is its class there, such as NotFoundError, ConflictError, PermissionError,
    TypeError, RangeError; `code` a word for programs; `transient` says that the same
    call may succeed later.
    """

    def __init__(self, message: str, *, name: str = "ApiError", code: Optional[str] = None,
                 transient: bool = False) -> None:
        super().__init__(message)
        self.name = name
        self.code = code
        self.transient = transient


class EvalError(VowError):
    """A run that came to no value. `report` tells all of it, `log` what it printed."""

    def __init__(self, report: dict[str, Any], log: list[Any]) -> None:
        error = report.get("error", {})
        self.kind: str = error.get("kind", "internal")
        self.name: Optional[str] = error.get("name")
        self.message: str = error.get("message", "")
        self.stack: Optional[str] = error.get("stack")
        self.report = report
        self.log = log
        told = f"{self.name}: {self.message}" if self.name else self.message
        super().__init__(f"{report['outcome']} ({self.kind}): {told}")


class ScriptError(EvalError):
    """The script threw, or did not handle a rejection."""


class OperationError(EvalError):
    """A tool failed, and the script did not handle that: `operation` says which."""

    @property
    def operation(self) -> Optional[dict[str, Any]]:
        found: Optional[dict[str, Any]] = self.report["error"].get("operation")
        return found


class DeniedError(EvalError):
    """The script called what it may not call."""


class DeadlockError(EvalError):
    """The script waits for a promise that nothing can settle any more."""


class LimitError(EvalError):
    """A limit was hit: `kind` is cpu, timeout, memory, stack, operations, result or output."""


class RunCancelled(EvalError):
    """The run was cancelled."""


class InternalError(EvalError):
    """A fault of vow, or the machine is short of memory."""


_BY_KIND = {"script": ScriptError, "api": OperationError, "denied": DeniedError,
            "deadlock": DeadlockError, "cancelled": RunCancelled, "internal": InternalError}


def eval_error(report: dict[str, Any], log: list[Any]) -> EvalError:
    kind = report.get("error", {}).get("kind")
    if report["outcome"] == "limit":
        return LimitError(report, log)
    return _BY_KIND.get(kind, EvalError)(report, log)
