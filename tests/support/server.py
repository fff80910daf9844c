"""A real HTTP/1.1 file server on 127.0.0.1 for tests, well behaved unless told otherwise.

``with FileServer(folder) as server:`` serves the files under ``folder`` at ``server.url`` with
GET, HEAD, Range, If-Range, ETag and Last-Modified. Every request is kept in ``server.requests``.

A fault is a function that answers one request in its own way. ``server.faults[path]`` is a list
of them; each request for that path takes the next one, and when none is left the server behaves:

    server.faults["/a.zip"] = [status(503, retry_after=2), cut_after(100), None]

``None`` in the list lets one request through unharmed. ``server.always[path]`` is met by every
request that finds the list empty. ``support.faults`` has the common ones.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = ["Fault", "FileServer", "Handler", "Request"]

_CHUNK = 1 << 16


class Request(NamedTuple):
    """One recorded request: ``path`` is unquoted and has no query."""

    method: str
    path: str
    range: str | None


class Handler(BaseHTTPRequestHandler):
    """Answers one connection; ``answer`` is the well-behaved way that faults may vary."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a small body waits 40 ms for the headers' receipt
    server: _Server

    def do_GET(self) -> None:
        self._dispatch()

    def do_HEAD(self) -> None:
        self._dispatch()

    def log_message(self, format: str, *args: object) -> None:
        """Tests read ``server.requests`` instead of a log."""

    def _dispatch(self) -> None:
        owner = self.server.owner
        self.name = unquote(urlsplit(self.path).path)
        with owner.lock:
            owner.requests.append(Request(self.command, self.name, self.headers.get("Range")))
            owner.headers.append(dict(self.headers))
            owner.lines.append(self.requestline)
            owner.arrived.notify_all()
            queue = owner.faults.get(self.name)
            fault = queue.pop(0) if queue else owner.always.get(self.name)
        if fault is None:
            self.answer()
        else:
            fault(self)

    def find(self) -> Path | None:
        """The file asked for, or None where it lies outside the folder or does not exist."""
        root = self.server.owner.folder
        path = (root / self.name.lstrip("/")).resolve()
        return path if path.is_file() and path.is_relative_to(root) else None

    def validators(self, path: Path, stat: os.stat_result | None = None) -> dict[str, str]:
        stat = stat or path.stat()
        return {
            "ETag": f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"',
            "Last-Modified": formatdate(int(stat.st_mtime), usegmt=True),
            **self.server.owner.extra,
        }

    def wanted(
        self, size: int, tags: dict[str, str], if_range: bool = True
    ) -> tuple[int, int] | None:
        """The half-open byte range asked for, or None for the whole file."""
        header = self.headers.get("Range", "")
        condition = self.headers.get("If-Range")
        if not header.startswith("bytes=") or "," in header:
            return None
        if if_range and condition is not None and condition not in tags.values():
            return None
        first, _, last = header[len("bytes=") :].partition("-")
        if not first:
            return max(0, size - int(last)), size
        return int(first), min(size, int(last) + 1) if last else size

    @property
    def part(self) -> bool:
        """Whether the request asks for bytes from the middle of the file."""
        return not self.headers.get("Range", "bytes=0-").startswith("bytes=0-")

    def answer(
        self,
        *,
        ranges: bool = True,
        if_range: bool = True,
        tags: bool = True,
        limit: int | None = None,
        change: Callable[[bytes, int], bytes] | None = None,
        extra: dict[str, str] | None = None,
        pace: tuple[int, float] | None = None,
    ) -> None:
        """Serves the file.

        Args:
            ranges: honour Range.
            if_range: honour If-Range.
            tags: send ETag and Last-Modified.
            limit: send only so many bytes of the body, whatever Content-Length says.
            change: maps (chunk, its offset in the file) to the bytes really sent.
            extra: headers that replace the server's own; an empty value leaves one out.
            pace: send so many bytes at a time, with so many seconds between.
        """
        path = self.find()
        if path is None:
            self.reply(404, b"no such file\n", {"Content-Type": "text/plain"})
            return
        with path.open("rb") as file:  # one version to the end, should another take its place
            stat = os.fstat(file.fileno())
            size, own = stat.st_size, self.validators(path, stat)
            span = self.wanted(size, own, if_range) if ranges else None
            start, stop = span or (0, size)
            if span and start >= size:
                self.reply(416, b"", {"Content-Range": f"bytes */{size}"})
                return
            head = {"Content-Type": "application/octet-stream", "Content-Length": str(stop - start)}
            if ranges:
                head["Accept-Ranges"] = "bytes"
            if span:
                head["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
            head |= own if tags else {}
            head |= extra or {}
            self.send_response(206 if span else 200)
            for key, value in head.items():
                if value:
                    self.send_header(key, value)
            if not head["Content-Length"]:
                self.close_connection = True
            self.end_headers()
            if self.command == "GET":
                stop = stop if limit is None else min(stop, start + limit)
                self._send_file(file, start, stop, change, pace or (_CHUNK, 0.0))

    def _send_file(
        self,
        file: BinaryIO,
        start: int,
        stop: int,
        change: Callable[[bytes, int], bytes] | None,
        pace: tuple[int, float],
    ) -> None:
        size, pause = pace
        file.seek(start)
        while start < stop and (block := file.read(min(size, stop - start))):
            self.send(change(block, start) if change else block)
            start += len(block)
            if pause and self.server.owner.closing.wait(pause):
                return

    def send(self, data: bytes) -> None:
        self._count(len(data))  # before: who has read the last byte may ask at once
        try:
            self.wfile.write(data)
        except OSError:
            self._count(-len(data))
            raise

    def _count(self, sent: int) -> None:
        with self.server.owner.lock:
            self.server.owner.sent[self.name] += sent

    def reply(self, code: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """A whole answer made of ``body``."""
        self.send_response(code)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def hang_up(self) -> None:
        """Ends the connection here and now, as a broken line does."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Ends the connection so that the client's system reports a reset."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)  # on, for no time: closing sends RST in place of FIN
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.server.abandoned.add(self.connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the handlers and leaks no socket
    request_queue_size = 64

    def __init__(self, owner: FileServer, port: int) -> None:
        self.owner = owner
        self.connections: set[socket.socket] = set()
        self.abandoned: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Handler)

    def process_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        self.connections.add(request)
        self.owner.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:  # type: ignore[no-untyped-def]
        self.connections.discard(request)
        if request in self.abandoned:
            request.close()  # without the shutdown that would say a polite goodbye
        else:
            super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """Clients that hang up are part of the tests; other errors are raised at the end."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError) and error is not None:
            self.owner.errors.append(error)


class FileServer:
    """Serves ``folder`` at ``url`` until the ``with`` block ends.

    ``certificate`` (files with the chain and the key) makes it speak TLS; ``port`` 0 is any free.

    Attributes:
        url: ``http://127.0.0.1:<port>``, no slash at the end.
        requests: every request in order of arrival.
        headers: the headers of each of them.
        lines: the first line of each, with its query.
        faults: path (unquoted, with its slash) -> the faults that its next requests meet.
        always: path -> the fault that all others meet.
        connections: how many were opened.
        extra: headers that go with every file, beside its ETag.
        sent: path -> bytes of file bodies sent.
        arrived: notified of every request.
        closing: set when the block ends; held requests wait for it.
    """

    def __init__(
        self,
        folder: Path | str,
        certificate: tuple[Path | str, Path | str] | None = None,
        port: int = 0,
    ) -> None:
        self.folder = Path(folder).resolve()
        self.requests: list[Request] = []
        self.headers: list[dict[str, str]] = []
        self.lines: list[str] = []
        self.faults: dict[str, list[Fault | None]] = {}
        self.always: dict[str, Fault] = {}
        self.connections = 0
        self.extra: dict[str, str] = {}
        self.sent: Counter[str] = Counter()
        self.errors: list[BaseException] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.arrived = threading.Condition(self.lock)
        self._server = _Server(self, port)
        scheme = "http"
        if certificate is not None:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        if self.errors:
            raise self.errors[0]

    def count(self, path: str, method: str = "GET") -> int:
        """How many ``method`` requests came for ``path``."""
        return sum(r.path == path and r.method == method for r in self.requests)


Fault = Callable[[Handler], None]
