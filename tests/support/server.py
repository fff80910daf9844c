"""A real HTTP/1.1 file server on 127.0.0.1 for tests, well behaved unless told otherwise.

``with FileServer(folder) as server:`` serves the files under ``folder`` at ``server.url`` with
GET, HEAD, Range, If-Range, ETag and Last-Modified. Every request is kept in ``server.requests``.

A fault is a function that answers one request in its own way. ``server.faults[path]`` is a list
of them; each request for that path takes the next one, and when none is left the server behaves:

    server.faults["/a.zip"] = [status(503, retry_after=2), cut_after(100), None]

``None`` in the list lets one request through unharmed. ``support.faults`` has the common ones.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
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
            queue = owner.faults.get(self.name)
            fault = queue.pop(0) if queue else None
        if fault is None:
            self.answer()
        else:
            fault(self)

    def find(self) -> Path | None:
        """The file asked for, or None where it lies outside the folder or does not exist."""
        root = self.server.owner.folder
        path = (root / self.name.lstrip("/")).resolve()
        return path if path.is_file() and path.is_relative_to(root) else None

    def validators(self, path: Path) -> dict[str, str]:
        stat = path.stat()
        return {
            "ETag": f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"',
            "Last-Modified": formatdate(int(stat.st_mtime), usegmt=True),
        }

    def wanted(self, size: int, tags: dict[str, str]) -> tuple[int, int] | None:
        """The half-open byte range asked for, or None for the whole file."""
        header = self.headers.get("Range", "")
        condition = self.headers.get("If-Range")
        if not header.startswith("bytes=") or "," in header:
            return None
        if condition is not None and condition not in tags.values():
            return None
        first, _, last = header[len("bytes=") :].partition("-")
        if not first:
            return max(0, size - int(last)), size
        return int(first), min(size, int(last) + 1) if last else size

    def answer(
        self,
        *,
        ranges: bool = True,
        tags: bool = True,
        limit: int | None = None,
        change: Callable[[bytes, int], bytes] | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        """Serves the file.

        Args:
            ranges: honour Range.
            tags: send ETag and Last-Modified.
            limit: send only so many bytes of the body, whatever Content-Length says.
            change: maps (chunk, its offset in the file) to the bytes really sent.
            extra: headers that replace the server's own; an empty value leaves one out.
        """
        path = self.find()
        if path is None:
            self.reply(404, b"no such file\n", {"Content-Type": "text/plain"})
            return
        size = path.stat().st_size
        own = self.validators(path)
        span = self.wanted(size, own) if ranges else None
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
            self.send_file(path, start, stop if limit is None else min(stop, start + limit), change)

    def send_file(
        self, path: Path, start: int, stop: int, change: Callable[[bytes, int], bytes] | None
    ) -> None:
        with path.open("rb") as file:
            file.seek(start)
            while start < stop:
                block = file.read(min(_CHUNK, stop - start))
                self.send(change(block, start) if change else block)
                start += len(block)

    def send(self, data: bytes) -> None:
        self.wfile.write(data)
        with self.server.owner.lock:
            self.server.owner.sent[self.name] += len(data)

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


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the handlers and leaks no socket
    request_queue_size = 64

    def __init__(self, owner: FileServer) -> None:
        self.owner = owner
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), Handler)

    def process_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:  # type: ignore[no-untyped-def]
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """Clients that hang up are part of the tests; other errors are raised at the end."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError) and error is not None:
            self.owner.errors.append(error)


class FileServer:
    """Serves ``folder`` at ``url`` until the ``with`` block ends.

    ``certificate`` (files with the chain and the key) makes it speak TLS.

    Attributes:
        url: ``http://127.0.0.1:<port>``, no slash at the end.
        requests: every request in order of arrival.
        headers: the headers of each of them.
        faults: path (unquoted, with its slash) -> the faults that its next requests meet.
        sent: path -> bytes of file bodies sent.
        closing: set when the block ends; held requests wait for it.
    """

    def __init__(
        self, folder: Path | str, certificate: tuple[Path | str, Path | str] | None = None
    ) -> None:
        self.folder = Path(folder).resolve()
        self.requests: list[Request] = []
        self.headers: list[dict[str, str]] = []
        self.faults: dict[str, list[Fault | None]] = {}
        self.sent: Counter[str] = Counter()
        self.errors: list[BaseException] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._server = _Server(self)
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
