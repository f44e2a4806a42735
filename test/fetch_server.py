"""HTTP servers for test/fetch_test.py: real sockets, answers written by hand, so
that wrong ones can be given too. Everything runs on one thread of its own."""
import asyncio
import functools
import gzip
import json
import threading
import zlib


class Request:
    def __init__(self, method, target, headers, body, connection):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.connection = connection  # its number, from 1
        self.path, _, self.query = target.partition("?")

    def values(self, name):
        return [value for key, value in self.headers if key.lower() == name]


def plain(body, status="200 OK", headers=()):
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def echo(request):
    return plain(json.dumps({
        "method": request.method, "target": request.target,
        "headers": [[key.lower(), value] for key, value in request.headers],
        "body": request.body.decode("latin-1"), "connection": request.connection,
    }), headers=["Content-Type: application/json"])


@functools.lru_cache
def bomb():
    maker = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(maker.compress(bytes(1 << 20)) for _ in range(64)) + maker.flush()
    return plain(packed, headers=["Content-Encoding: gzip"])


def redirect(request):
    """/redirect/STATUS?LOCATION"""
    status = request.path.split("/")[2]
    return plain("moved", f"{status} Moved", [f"Location: {request.query}"])


def hops(request):
    """/hops/N: N more redirects"""
    left = int(request.path.split("/")[2])
    return plain("", "302 Found", [f"Location: {left - 1}"]) if left else echo(request)


def twice(request):
    """The second answer is one that nobody asked for."""
    return plain("asked") + plain("not asked")


FIXED = {
    "/gzip": lambda: plain(gzip.compress(b"squeezed"), headers=["Content-Encoding: gzip"]),
    "/deflate": lambda: plain(zlib.compress(b"flat"), headers=["Content-Encoding: deflate"]),
    "/zstd": lambda: plain(b"\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello", headers=["Content-Encoding: zstd"]),
    "/zstd-chunked": lambda: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: zstd, chunked\r\n\r\n"
                             b"e\r\n\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello\r\n0\r\n\r\n",
    "/gzip-twice": lambda: plain(gzip.compress(gzip.compress(b"squeezed")),
                                 headers=["Content-Encoding: X-GZIP ,gzip"]),
    "/gzip-wrong": lambda: plain(b"this is no gzip", headers=["Content-Encoding: gzip"]),
    "/bomb": bomb,
    "/503": lambda: plain("later", "503 Service Unavailable"),
    "/404": lambda: plain('{"gone":true}', "404 Not Found"),
    "/204": lambda: b"HTTP/1.1 204 No Content\r\n\r\n",
    "/bytes": lambda: plain(bytes(range(256))),
    "/bom": lambda: plain(b"\xef\xbb\xbfx\xff"),
    "/headers": lambda: plain("", "200 Fine \xe9", [
        "Set-Cookie: a=1", "X-Two: one", "Set-Cookie: b=2", "x-two:  two ", "X-Latin: \xe9",
        "X-Folded: a", "  b", "X-Empty:"]),
    "/headers-huge": lambda: plain("", headers=[f"X-{i}: {'y' * 900}" for i in range(100)]),
    "/header-line-huge": lambda: plain("", headers=["X: " + "y" * 200000]),
    "/chunked": lambda: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Trailer: t\r\n\r\n",
    "/continue": lambda: b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
                         + plain("final"),
    "/8m": lambda: plain(bytes(8 << 20)),
    "/8m+1": lambda: plain(bytes((8 << 20) + 1)),
    "/1m": lambda: plain(bytes(1 << 20)),
}
# Given, then the connection is closed.
CLOSING = {
    "/close": lambda: b"",
    "/truncated": lambda: b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "/chunk-cut": lambda: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "/chunk-wrong": lambda: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
    "/both-lengths": lambda: b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked"
                             b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "/switching": lambda: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "/header-cut": lambda: b"HTTP/1.1 200 OK\r\nContent-Le",
    "/until-close": lambda: b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    "/lengths": lambda: b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    "/length-negative": lambda: b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
    "/not-http": lambda: b"SSH-2.0-OpenSSH_9\r\n",
    "/status-wrong": lambda: b"HTTP/1.1 2x0 OK\r\n\r\n",
    "/header-nul": lambda: b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n",
}


# Begun with the first, then the second without end.
ENDLESS = {
    "/endless-interim": (b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 50),
    "/endless-headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100),
    "/endless-trailers": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
                          b"X-Trailer: y\r\n" * 100),
    "/endless-body": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                      b"1000\r\n" + bytes(4096) + b"\r\n"),
}


class Server:
    """`port` listens until close(); `closed` counts connections that the other
    side ended, `live` those that are open."""

    def __init__(self, tls=None):
        self.connections = self.live = 0
        self.waiting = self.aborted = 0  # at /slow and its kin
        self.dropped = 0  # requests of /drop, which get no answer
        self.changed = threading.Condition()
        self.loop = asyncio.new_event_loop()
        self.tls = tls
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,), daemon=True)
        self.thread.start()
        started.wait()

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        self.slow = asyncio.Event()  # a request is held at /slow; /once-waiting waits for it
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.tls))
        self.port = self.server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    def close(self):
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def count(self, name, change):
        with self.changed:
            setattr(self, name, getattr(self, name) + change)
            self.changed.notify_all()

    def wait_for(self, condition, seconds=30):
        with self.changed:
            return self.changed.wait_for(condition, seconds)

    async def read_request(self, reader, number):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(key, value.strip()) for key, value in (line.split(":", 1) for line in lines)]
        request = Request(method, target, headers, b"", number)
        for length in request.values("content-length"):
            request.body = await reader.readexactly(int(length))
        return request

    async def wait_slowly(self, reader, writer, request):
        """Answers in part or not at all, until the other side goes away."""
        if request.path == "/slow-body":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\npart")
        elif request.path == "/slow-headers":
            writer.write(b"HTTP/1.1 200 OK\r\nX-Part: ")
        await writer.drain()
        self.count("waiting", 1)
        self.slow.set()
        try:
            await reader.read(1)
        finally:
            self.count("aborted", 1)
            if self.aborted == self.waiting:
                self.slow.clear()

    async def answer(self, reader, writer, request):
        path = request.path
        if path == "/once-waiting":
            await self.slow.wait()
        if path.startswith("/slow"):
            await self.wait_slowly(reader, writer, request)
            return False
        if path in ENDLESS:
            first, rest = ENDLESS[path]
            writer.write(first)
            while True:
                writer.write(rest)
                await writer.drain()
        if path == "/drop":
            self.count("dropped", 1)
            return False
        if path in CLOSING:
            writer.write(CLOSING[path]())
            return False
        answer = FIXED[path]() if path in FIXED else \
            redirect(request) if path.startswith("/redirect/") else \
            hops(request) if path.startswith("/hops/") else \
            twice(request) if path == "/twice" else echo(request)
        if request.method == "HEAD":
            answer = answer[:answer.index(b"\r\n\r\n") + 4]
        writer.write(answer)
        await writer.drain()
        return path != "/close-after"

    async def serve(self, reader, writer):
        self.count("connections", 1)
        self.count("live", 1)
        number = self.connections
        try:
            while await self.answer(reader, writer, await self.read_request(reader, number)):
                pass
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError, ValueError):
            pass
        finally:
            self.count("live", -1)
            writer.close()
