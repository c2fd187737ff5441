"""A web server on this machine that can be told to misbehave, answer by answer."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


class FileServer(ThreadingHTTPServer):
    """Serves one file at every path, with ranges and an ETag, as content delivery networks do.

    Attributes:
        content: The file.
        etag: Its entity tag.
        answers: What the next requests get instead, first come first served.
        requests: The headers of every request so far, and its path as `path`.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag = content, '"one"'
        self.answers: list[Answer] = []
        self.requests: list[dict[str, str]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def ranges(self) -> list[str | None]:
        """Which range every request asked for."""
        return [request.get("range") for request in self.requests]


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: FileServer

    def do_GET(self) -> None:
        with self.server.lock:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.requests.append({**headers, "path": self.path})
            answer = self.server.answers.pop(0) if self.server.answers else honest
        with contextlib.suppress(OSError):
            answer(self)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def begin(self, *, ranges: bool = True) -> bytes:
        """Send the status and the headers, and give the body that belongs to them."""
        content, etag = self.server.content, self.server.etag
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        valid = self.headers.get("If-Range", etag) == etag
        start = int(wanted[1]) if wanted and valid and ranges else None
        if start is not None and start >= len(content):
            self.status(416, **{"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return b""
        body = content[start or 0 :]
        extra = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start is not None else {}
        self.status(200 if start is None else 206, ETag=etag, **{"Content-Length": str(len(body))}, **extra)
        return body

    def status(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def honest(handler: Handler) -> None:
    """As it should be."""
    handler.wfile.write(handler.begin())


def ignores_ranges(handler: Handler) -> None:
    """The whole file, whatever was asked for."""
    handler.wfile.write(handler.begin(ranges=False))


def truncates(count: int) -> Answer:
    """The right length is announced, so many bytes come, the connection ends."""
    return lambda handler: handler.wfile.write(handler.begin()[:count]) and None


def drops(count: int) -> Answer:
    """So many bytes come, the connection is reset."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(handler.begin()[:count])
        handler.wfile.flush()
        reset = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        handler.connection.close()

    return answer


def corrupts(handler: Handler) -> None:
    """One bit of what comes is wrong."""
    body = bytearray(handler.begin())
    body[len(body) // 2] ^= 1
    handler.wfile.write(body)


def refuses(code: int, **headers: str) -> Answer:
    """A status without a body."""
    return lambda handler: handler.status(code, **{"Content-Length": "0"}, **headers)


def sends_another_range(handler: Handler) -> None:
    """Status 206 with the beginning of the file."""
    body = handler.server.content[:10]
    content_range = f"bytes 0-9/{len(handler.server.content)}"
    handler.status(206, **{"Content-Length": "10", "Content-Range": content_range})
    handler.wfile.write(body)


def chunked(handler: Handler) -> None:
    """The whole file without a length."""
    handler.protocol_version = "HTTP/1.0"
    handler.status(200, ETag=handler.server.etag)
    handler.wfile.write(handler.server.content)


def redirects(**headers: str) -> Answer:
    """To another path of the same server."""
    return lambda handler: handler.status(
        302, Location=f"{handler.server.url}/elsewhere", **{"Content-Length": "0"}, **headers
    )


def waits_after(count: int, go_on: threading.Event) -> Answer:
    """So many bytes come, the rest when it is told to."""

    def answer(handler: Handler) -> None:
        body = handler.begin()
        handler.wfile.write(body[:count])
        handler.wfile.flush()
        go_on.wait(60)
        handler.wfile.write(body[count:])

    return answer
