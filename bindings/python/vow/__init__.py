"""Untrusted JavaScript that calls Python functions, run by the `vow` program."""
from ._errors import (BusyError, DeadlockError, DeniedError, EvalError, HostGone, InternalError,
                      LimitError, OperationError, RpcError, RunCancelled, ScriptError, ToolError,
                      VowError)
from ._host import Host, LogLine, Progress, Result
from ._tools import Call

__all__ = ["BusyError", "Call", "DeadlockError", "DeniedError", "EvalError", "Host", "HostGone",
           "InternalError", "LimitError", "LogLine", "OperationError", "Progress", "Result",
           "RpcError", "RunCancelled", "ScriptError", "ToolError", "VowError"]
__version__ = "0.1.0"
