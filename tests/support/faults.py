"""Ways for ``FileServer`` to misbehave: each function makes a fault for ``server.faults``.

Those that send the file honour Range as far as their fault allows, so that they can be met by a
request for a part as well: offsets count from the first byte that was asked for, unless they are
said to be offsets of the file.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from pathlib import Path

from support.server import Fault, Handler

__all__ = [
    "bad_length",
    "chunked",
    "closing_quietly",
    "content_encoded",
    "cut_after",
    "cuts",
    "drop",
    "early_hints",
    "first",
    "hold_after",
    "html",
    "if_range_ignored",
    "ignore_range",
    "late_headers",
    "no_length",
    "no_validators",
    "of_parts",
    "old_http",
    "other_bytes",
    "other_tag",
    "raw",
    "redirect",
    "reply",
    "reset_after",
    "silent",
    "slow_headers",
    "status",
    "trickle",
    "until_asked",
    "wrong_bytes",
    "wrong_part",
    "wrong_range",
]

_CHUNK = 1 << 16


# --- a whole answer of another kind ---------------------------------------------------------------


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


def raw(answer: bytes) -> Fault:
    """Sends these bytes, be they HTTP or not, and hangs up."""

    def fault(handler: Handler) -> None:
        handler.wfile.write(answer)
        handler.hang_up()

    return fault


# --- the connection breaks or stalls --------------------------------------------------------------


def cut_after(count: int) -> Fault:
    """Promises the file, sends ``count`` bytes of it, and hangs up."""

    def fault(handler: Handler) -> None:
        handler.answer(limit=count)
        handler.hang_up()

    return fault


def cuts(*counts: int) -> Fault:
    """The n-th request for a file is cut after the n-th of ``counts``, round and round."""

    def fault(handler: Handler) -> None:
        earlier = handler.server.owner.count(handler.name) - 1
        cut_after(counts[earlier % len(counts)])(handler)

    return fault


def reset_after(count: int) -> Fault:
    """As ``cut_after``, with a TCP reset in place of an orderly end."""

    def fault(handler: Handler) -> None:
        handler.answer(limit=count)
        handler.reset()

    return fault


def drop() -> Fault:
    """Hangs up before the first byte of an answer."""
    return lambda handler: handler.hang_up()


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


def until_asked(times: int) -> Fault:
    """Sends a first block, and the rest when so many requests have come: others had a turn."""

    def fault(handler: Handler) -> None:
        owner, begun = handler.server.owner, handler.wanted(1 << 62, {}, if_range=False)

        def change(block: bytes, offset: int) -> bytes:
            if offset > (begun or (0, 0))[0]:
                with owner.arrived:
                    owner.arrived.wait_for(lambda: len(owner.requests) >= times, timeout=60)
            return block

        handler.answer(change=change)

    return fault


def silent() -> Fault:
    """Takes the request and answers nothing until the server closes."""

    def fault(handler: Handler) -> None:
        handler.server.owner.closing.wait()
        handler.hang_up()

    return fault


def late_headers(seconds: float) -> Fault:
    """The answer begins only after so long."""

    def fault(handler: Handler) -> None:
        handler.server.owner.closing.wait(seconds)
        handler.answer()

    return fault


def slow_headers(lines: int, pause: float) -> Fault:
    """So many headers without meaning come one by one, with ``pause`` seconds between."""

    def fault(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for line in range(lines):
            handler.wfile.write(b"X-%d: 0\r\n" % line)
            if handler.server.owner.closing.wait(pause):
                break
        data = _data(handler)
        handler.wfile.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        handler.hang_up()

    return fault


def trickle(block: int, pause: float) -> Fault:
    """Sends ``block`` bytes at a time, with ``pause`` seconds between."""
    return lambda handler: handler.answer(pace=(block, pause))


def closing_quietly() -> Fault:
    """A good answer that keeps the connection alive in its headers and closes it all the same."""

    def fault(handler: Handler) -> None:
        handler.answer()
        handler.hang_up()

    return fault


# --- other bytes than the file's ------------------------------------------------------------------


def wrong_bytes(at: int = 0) -> Fault:
    """The right length, with one bit flipped at offset ``at`` of the file."""

    def change(block: bytes, offset: int) -> bytes:
        if not offset <= at < offset + len(block):
            return block
        damaged = bytearray(block)
        damaged[at - offset] ^= 1
        return bytes(damaged)

    return lambda handler: handler.answer(change=change)


def other_bytes() -> Fault:
    """The right length, and not a byte of it right."""
    swap = bytes(value ^ 0xFF for value in range(256))
    return lambda handler: handler.answer(change=lambda block, _: block.translate(swap))


def content_encoded(lost: int = 0, coding: str = "gzip") -> Fault:
    """The file gzipped, with Content-Encoding, though nobody asked for that.

    Args:
        lost: so many bytes are missing at the end, and Content-Length agrees.
        coding: what the header calls it.
    """

    def fault(handler: Handler) -> None:
        body = gzip.compress(_data(handler), compresslevel=1)
        handler.reply(200, body[: len(body) - lost], {"Content-Encoding": coding})

    return fault


# --- the length -----------------------------------------------------------------------------------


def bad_length(delta: int) -> Fault:
    """Content-Length says ``delta`` bytes more (or fewer) than the whole file that is sent."""

    def fault(handler: Handler) -> None:
        size = len(_data(handler))
        handler.answer(ranges=False, extra={"Content-Length": str(size + delta)})
        handler.hang_up()

    return fault


def no_length(cut: int | None = None) -> Fault:
    """No Content-Length: the body ends where the connection does (after ``cut`` bytes)."""

    def fault(handler: Handler) -> None:
        handler.answer(ranges=False, limit=cut, extra={"Content-Length": ""})
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


def old_http(cut: int | None = None) -> Fault:
    """An HTTP/1.0 server: no ranges, no kept connections."""

    def fault(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.0"
        handler.answer(ranges=False, limit=cut)
        handler.hang_up()

    return fault


def early_hints() -> Fault:
    """An interim answer before the real one."""

    def fault(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
        handler.answer()

    return fault


# --- ranges and versions --------------------------------------------------------------------------


def of_parts(fault: Fault) -> Fault:
    """The fault for requests of a part from the middle; others are served well."""
    return lambda handler: fault(handler) if handler.part else handler.answer()


def first(action: Callable[[], object], fault: Fault | None = None) -> Fault:
    """Does something, then answers (in the way of ``fault`` where given)."""

    def both(handler: Handler) -> None:
        action()
        if fault is None:
            handler.answer()
        else:
            fault(handler)

    return both


def ignore_range() -> Fault:
    """The whole file with 200, whatever range was asked for."""
    return lambda handler: handler.answer(ranges=False)


def if_range_ignored(tags: bool = True, **extra: str) -> Fault:
    """The part asked for of whatever version there is; ``tags=False``: without saying which."""
    named = {key.replace("_", "-"): value for key, value in extra.items()}
    return lambda handler: handler.answer(if_range=False, tags=tags, extra=named)


def no_validators(cut: int | None = None) -> Fault:
    """Neither ETag nor Last-Modified; hangs up after ``cut`` bytes where given."""

    def fault(handler: Handler) -> None:
        handler.answer(tags=False, limit=cut)
        if cut is not None:
            handler.hang_up()

    return fault


def other_tag() -> Fault:
    """A good answer under another ETag."""
    return lambda handler: handler.answer(if_range=False, extra={"ETag": '"another"'})


def wrong_range() -> Fault:
    """206 with the start of the file, where the middle was asked for."""

    def fault(handler: Handler) -> None:
        path, data = handler.find(), _data(handler)
        assert path is not None
        whole = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
        handler.reply(206, data, whole | handler.validators(path))

    return fault


def wrong_part(
    *,
    shift: int = 0,
    longer: int = 0,
    total: int = 0,
    lie: int = 0,
    said: str | None = None,
    multipart: bool = False,
) -> Fault:
    """206 with a part that is not the one asked for, or says that it is another.

    Args:
        shift: sends, and says so, the part that begins so many bytes later.
        longer: sends, and says so, so many bytes more (or fewer) than asked for.
        total: says that the whole file has so many bytes more.
        lie: sends the part so many bytes later, and says it is the one asked for.
        said: the Content-Range header; an empty one is left out.
        multipart: wrapped as multipart/byteranges, as if several ranges were asked for.
    """

    def fault(handler: Handler) -> None:
        path, data = handler.find(), _data(handler)
        assert path is not None
        start, stop = handler.wanted(len(data), {}, if_range=False) or (0, len(data))
        start, stop = start + shift, max(start + shift, min(len(data), stop + shift + longer))
        body = data[start + lie : stop + lie]
        body += bytes(stop - start - len(body))  # a lie about the end still has its length
        place = f"bytes {start}-{stop - 1}/{len(data) + total}" if said is None else said
        head = handler.validators(path)
        if multipart:
            head["Content-Type"] = "multipart/byteranges; boundary=x"
            body = b"--x\r\nContent-Range: %s\r\n\r\n%s\r\n--x--\r\n" % (place.encode(), body)
        elif place:
            head["Content-Range"] = place
        handler.reply(206, body, head)

    return fault


def _data(handler: Handler) -> bytes:
    path: Path | None = handler.find()
    assert path is not None
    return path.read_bytes()
