"""Functions for `vow task`: each takes the one argument, and returns a value."""
import asyncio
import datetime
import time


def slow(query):
    """Waits in Python code, where a cancel reaches it."""
    while True:
        time.sleep(0.01)


async def quick(query):
    """A coroutine is awaited."""
    await asyncio.sleep(0.01)
    return {"city": query["city"], "celsius": -3, "from": "py"}


def broken(query):
    raise ConnectionError("no route to the host")


def facts(query):
    """Big integers, bytes, dates and sets are values as well."""
    return {
        "big": 2**100,
        "raw": b"\x00\x01",
        "day": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
        "set": {7},
    }


tries = 0


def flaky(query):
    """Succeeds when it is called for the third time: a module is executed once."""
    global tries
    tries += 1
    if tries < 3:
        raise TimeoutError(f"try {tries} took too long")
    return tries
