"""Python values as JSON and back, with the forms of docs/host.md for what JSON lacks."""
from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta, timezone
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SAFE_MAX = 2 ** 53 - 1
_FORM_KEY = re.compile(r"\$+(?:bytes|bigint|date)\Z")
# What json.dumps() alone would get wrong: a key that looks like a form's, a large integer.
_SUSPECT = re.compile(r'"\$+(?:bytes|bigint|date)":|[0-9]{16}')


def _date(value: datetime) -> dict[str, Any]:
    moment = value if value.tzinfo else value.astimezone()
    return {"$date": (moment - _EPOCH) // timedelta(milliseconds=1)}


def _special(value: Any) -> Any:
    """A value that json.dumps() does not know, as one that it does."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime):
        return _date(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, AbstractSet):
        return list(value)
    raise TypeError(f"a {type(value).__name__} cannot be sent to a script")


def _key(key: Any) -> Any:
    return "$" + key if isinstance(key, str) and _FORM_KEY.match(key) else key


def _prepare(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, float)):
        return value
    if isinstance(value, int):
        return {"$bigint": str(int(value))} if abs(value) > _SAFE_MAX else value
    if isinstance(value, Mapping):
        return {_key(key): _prepare(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_prepare(item) for item in value]
    if isinstance(value, (bytes, bytearray, memoryview, datetime)):
        return _special(value)
    return _prepare(_special(value))


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_special)


def encode(value: Any) -> str:
    """JSON text for a value; TypeError or ValueError when there is none."""
    text = _dump(value)
    return _dump(_prepare(value)) if _SUSPECT.search(text) else text


def _form(key: str, content: Any) -> Any:
    """What a form stands for; None if it is none."""
    if key == "$bytes" and isinstance(content, str):
        try:
            return base64.b64decode(content, validate=True)
        except binascii.Error:
            return None
    if key == "$bigint" and isinstance(content, str) and re.fullmatch("-?[0-9]+", content):
        return int(content)
    if key == "$date" and isinstance(content, (int, float)):
        try:
            return _EPOCH + timedelta(milliseconds=content)
        except OverflowError:
            return None
    return None


def decode(value: Any) -> Any:
    """Replaces the forms in what json.loads() gave. An invalid Date is None."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (key, content), = value.items()
        found = _form(key, content)
        if found is not None or key == "$date" and content is None:
            return found
    return {key[1:] if key.startswith("$$") and _FORM_KEY.match(key) else key: decode(item)
            for key, item in value.items()}
