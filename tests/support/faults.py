"""Ways for ``FileServer`` to misbehave: each function makes a fault for ``server.faults``."""

from __future__ import annotations

import gzip
import threading

from support.server import Fault, Handler

__all__ = [
    "bad_length",
    "chunked",
    "content_encoded",
    "cut_after",
    "hold_after",
    "html",
    "ignore_range",
    "no_length",
    "no_validators",
    "redirect",
    "reply",
    "status",
    "wrong_bytes",
    "wrong_range",
]

_CHUNK = 1 << 16


def status(code: int, retry_after: object = None, body: bytes = b"sorry\n") -> Fault:
    """Answers with this status and, if given, a Retry-After header."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return lambda handler: handler.reply(code, body, headers)


def reply(body: bytes, code: int = 200, **headers: str) -> Fault:
    """Answers with this body; ``Content_Type="text/html"`` gives a header."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return lambda handler: handler.reply(code, body, named)


def html(body: bytes = b"<!DOCTYPE html><html><body>Please log in</body></html>") -> Fault:
    """A login or quota page with status 200, as file hosts like to send."""
    return reply(body, Content_Type="text/html; charset=utf-8")


def redirect(to: str, code: int = 302) -> Fault:
    """Sends the client elsewhere."""
    return lambda handler: handler.reply(code, b"", {"Location": to})


def cut_after(count: int) -> Fault:
    """Promises the file, sends ``count`` bytes of it, and hangs up."""

    def fault(handler: Handler) -> None:
        handler.answer(limit=count)
        handler.hang_up()

    return fault


def hold_after(count: int, reached: threading.Event | None = None) -> Fault:
    """Sends ``count`` bytes, sets ``reached``, then sends nothing until the server closes."""

    def fault(handler: Handler) -> None:
        handler.answer(limit=count)
        handler.wfile.flush()
        if reached is not None:
            reached.set()
        handler.server.owner.closing.wait()
        handler.hang_up()

    return fault


def wrong_bytes(at: int = 0) -> Fault:
    """The right length, with one bit flipped at offset ``at``."""

    def change(block: bytes, offset: int) -> bytes:
        if not offset <= at < offset + len(block):
            return block
        damaged = bytearray(block)
        damaged[at - offset] ^= 1
        return bytes(damaged)

    return lambda handler: handler.answer(change=change)


def ignore_range() -> Fault:
    """The whole file with 200, whatever range was asked for."""
    return lambda handler: handler.answer(ranges=False)


def wrong_range() -> Fault:
    """206 with the start of the file, where the middle was asked for."""

    def fault(handler: Handler) -> None:
        path = handler.find()
        assert path is not None
        data = path.read_bytes()
        handler.reply(
            206,
            data,
            {
                "Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}",
                **handler.validators(path),
            },
        )

    return fault


def no_validators(cut: int | None = None) -> Fault:
    """Neither ETag nor Last-Modified; hangs up after ``cut`` bytes where given."""

    def fault(handler: Handler) -> None:
        handler.answer(tags=False, limit=cut)
        if cut is not None:
            handler.hang_up()

    return fault


def no_length(cut: int | None = None) -> Fault:
    """No Content-Length: the body ends where the connection does (after ``cut`` bytes)."""

    def fault(handler: Handler) -> None:
        handler.answer(ranges=False, limit=cut, extra={"Content-Length": ""})
        handler.hang_up()

    return fault


def bad_length(delta: int) -> Fault:
    """Content-Length says ``delta`` bytes more (or fewer) than the whole file that is sent."""

    def fault(handler: Handler) -> None:
        path = handler.find()
        assert path is not None
        size = path.stat().st_size
        handler.answer(ranges=False, extra={"Content-Length": str(size + delta)})
        handler.hang_up()

    return fault


def chunked(cut: int | None = None) -> Fault:
    """Transfer-Encoding: chunked; hangs up after ``cut`` bytes, before the last chunk."""

    def fault(handler: Handler) -> None:
        path = handler.find()
        assert path is not None
        data = path.read_bytes()[:cut]
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        for key, value in handler.validators(path).items():
            handler.send_header(key, value)
        handler.end_headers()
        for start in range(0, len(data), _CHUNK):
            block = data[start : start + _CHUNK]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        if cut is None:
            handler.wfile.write(b"0\r\n\r\n")
        else:
            handler.hang_up()

    return fault


def content_encoded() -> Fault:
    """The file gzipped, with Content-Encoding: gzip, though nobody asked for that."""

    def fault(handler: Handler) -> None:
        path = handler.find()
        assert path is not None
        handler.reply(200, gzip.compress(path.read_bytes()), {"Content-Encoding": "gzip"})

    return fault
