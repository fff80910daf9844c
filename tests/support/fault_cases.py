"""The faults that ``tests/faults`` puts before ``fetch``, and what may come of each.

A row says what the server does to the first requests (``first``) or to all others (``always``).
Where nothing is said the outcome is the right file, and nothing else in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from support import faults
from support.cached import DATA
from support.fault_modes import (
    BELIEVED,
    RIGHT,
    Believed,
    Mode,
    Outcome,
    not_promised,
    refused,
)
from support.server import Fault

__all__ = ["CONNECTION", "CONTENT", "LENGTH", "PAGE", "RANGES", "SEVERAL", "STATUS", "Case"]


@dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        every: what comes of it, or all that may; ``digest``, ``plain``: where a digest is given,
            or is not; ``ranges``: over several connections with a digest.
        asked: requests, counted where the file comes over one connection.
        once: no byte was sent twice, likewise.
        waited: seconds slept, likewise.
        read_timeout: real seconds without a byte.
    """

    name: str
    first: Sequence[Fault | None] = ()
    always: Fault | None = None
    every: Outcome | tuple[Outcome, ...] = RIGHT
    digest: Outcome | tuple[Outcome, ...] | None = None
    plain: Outcome | tuple[Outcome, ...] | None = None
    ranges: Outcome | tuple[Outcome, ...] | None = None
    asked: int | None = None
    once: bool = False
    waited: Sequence[float] | None = None
    read_timeout: float = 5.0

    def outcomes(self, mode: Mode) -> tuple[Outcome, ...]:
        special = self.ranges if mode.ranges and mode.digest else None
        found = special or (self.digest if mode.digest else self.plain) or self.every
        return found if isinstance(found, tuple) else (found,)

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def date(seconds: float) -> str:
    """An HTTP date so many seconds after the virtual clock's start."""
    moment = datetime.fromtimestamp(1_000_000, UTC) + timedelta(seconds=seconds)
    return format_datetime(moment, usegmt=True)


def cut_then(*then: Fault | None) -> tuple[Fault | None, ...]:
    """The transfer is cut, so that what follows meets a request to go on."""
    return faults.cut_after(10_000), *then


def part(**how: object) -> dict[str, object]:
    """A transfer cut, and every request for a part answered wrongly, in the way of ``how``."""
    return {
        "first": cut_then(),
        "always": faults.of_parts(faults.wrong_part(**how)),  # type: ignore[arg-type]
    }


PAGE = "web page"
SEVERAL = r"\(5 attempts\)"
OK = b"HTTP/1.1 200 OK\r\n"

CONNECTION = [
    Case("cut in the middle", cut_then(), asked=2, once=True, waited=[0.5]),
    Case("cut before the first byte", [faults.cut_after(0)], asked=2),
    Case("cut after the last byte but one", [faults.cut_after(len(DATA) - 1)], asked=2,
         once=True),
    Case("cut every time at another byte", always=faults.cuts(7_001, 19_000, 1, 30_011), once=True),
    Case("cut every time before the first byte", always=faults.cut_after(0), asked=5,
         every=refused(SEVERAL)),
    Case("cut with a reset", [faults.reset_after(10_000)]),
    Case("dropped before any header", [faults.drop()], asked=2),
    Case("dropped every time before any header", always=faults.drop(), asked=5,
         waited=[0.5, 1, 2, 4], every=refused(SEVERAL)),
    Case("stalls before the headers", [faults.silent()], asked=2, read_timeout=0.3),
    Case("stalls in the middle", [faults.hold_after(10_000)], asked=2, once=True,
         read_timeout=0.3),
    Case("stalls every time", always=faults.hold_after(0), asked=5, read_timeout=0.2,
         every=refused("sends nothing for too long")),
    Case("late headers", [faults.late_headers(0.2)], asked=1, waited=[]),
    Case("slow headers", [faults.slow_headers(20, 0.03)], asked=1, waited=[], read_timeout=0.4),
    Case("trickle", [faults.trickle(20_000, 0.03)] * 4, asked=1, waited=[], read_timeout=0.4),
    Case("kept connection closed", always=faults.closing_quietly()),
    Case("kept connection closed unanswered", [None, faults.drop(), None, faults.drop()]),
    Case("HTTP/1.0", always=faults.old_http(), asked=1),
    Case("HTTP/1.0, cut", [faults.old_http(10_000)], always=faults.old_http(), asked=2),
    Case("interim answer first", always=faults.early_hints()),
    Case("not HTTP", always=faults.raw(b"SSH-2.0-OpenSSH\r\n"), asked=5, every=refused(SEVERAL)),
    Case("broken headers", [faults.raw(OK + b"Content-Length 5\r\n\r\nhello")]),
]  # fmt: skip

LENGTH = [
    Case("chunked", always=faults.chunked(), asked=1),
    Case("chunked and cut", [faults.chunked(10_000)], asked=2),
    Case("chunked and cut every time", always=faults.chunked(10_000), asked=5,
         every=refused(SEVERAL, resumable=True)),
    Case("chunks out of step",
         [faults.raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n")], asked=2),
    Case("empty body", always=faults.reply(b""), asked=1,
         digest=not_promised(r"\(0 bytes\)"), plain=refused("sends nothing instead of data.bin")),
    Case("204 without a body", always=faults.raw(b"HTTP/1.1 204 No Content\r\n\r\n"), asked=1,
         every=refused("204")),
    Case("202 accepted, come back later", always=faults.status(202), asked=1,
         every=refused("202")),
    Case("Content-Length too short", always=faults.bad_length(-10), asked=1,
         digest=not_promised(r"\(299,990 bytes\)"), plain=Believed(lambda data: data[:-10])),
    Case("Content-Length too long", [faults.bad_length(+10)]),
    Case("Content-Length too long every time", always=faults.bad_length(+10),
         every=refused("3[0,]*10", resumable=True)),
    Case("two Content-Lengths",
         [faults.raw(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello")], asked=2),
    Case("negative Content-Length", [faults.raw(OK + b"Content-Length: -5\r\n\r\nhello")], asked=2),
    Case("no Content-Length", always=faults.no_length(), asked=1,
         plain=refused("does not say how long")),
    Case("no Content-Length, cut", [faults.no_length(10_000)],
         plain=refused("does not say how long")),
    Case("no Content-Length, cut every time", always=faults.no_length(10_000),
         digest=not_promised(r"\(10,000 bytes\)"), plain=refused("does not say how long")),
]  # fmt: skip

CONTENT = [
    Case("wrong bytes of the right length", always=faults.other_bytes(), digest=not_promised(),
         plain=Believed(lambda data: bytes(255 - value for value in data))),
    Case("one flipped bit", always=faults.wrong_bytes(200_000), digest=not_promised(),
         plain=Believed(lambda data: data[:200_000] + bytes([data[200_000] ^ 1]) + data[200_001:])),
    Case("web page with 200", always=faults.html(), digest=not_promised(f"{PAGE}.*Please log in"),
         plain=refused(f"{PAGE}.*Please log in"), asked=1),
    Case("web page of the right length", asked=1,
         always=faults.reply(b"<html>quota</html>".ljust(len(DATA))),
         digest=not_promised(PAGE), plain=refused(PAGE)),
    Case("web page where the rest is asked for", cut_then(faults.html()),
         digest=(RIGHT, not_promised(PAGE)), plain=(RIGHT, refused(PAGE))),
    Case("gzip on the way", always=faults.content_encoded(), asked=1),
    Case("gzip on the way, without its end", [faults.content_encoded(lost=5_000)],
         digest=(RIGHT, not_promised()), plain=(RIGHT, refused("gzip|decod|ends"))),
    Case("gzip on the way, not a byte of gzip", every=refused("decod|decompress|gzip|header"),
         always=faults.reply(DATA, Content_Encoding="gzip")),
    Case("coded on the way in an unknown way", always=faults.content_encoded(coding="br"),
         digest=(not_promised(), refused("br")), plain=refused("br")),
]  # fmt: skip

RANGES = [
    Case("range ignored", cut_then(faults.ignore_range()), asked=2),
    Case("ranges never honoured", always=faults.ignore_range(), asked=1),
    Case("416", cut_then(faults.status(416))),
    Case("416 to every part", cut_then(), always=faults.of_parts(faults.status(416))),
    Case("416 to everything", always=faults.status(416), every=refused("416")),
    Case("206 from the start of the file", **part(said=f"bytes 0-299999/{len(DATA)}", lie=-10_000)),
    Case("206 of the whole file", cut_then(), always=faults.of_parts(faults.wrong_range())),
    Case("206 starts later", **part(shift=1)),
    Case("206 starts earlier", **part(shift=-1)),
    Case("206 ends too early", cut_then(faults.wrong_part(longer=-1_000))),
    Case("206 ends too early every time", **part(longer=-1_000),
         every=(RIGHT, refused("1,000|2..,... of 300,000 bytes|206", resumable=True))),
    Case("206 ends too late", **part(longer=1_000)),
    Case("206 of a longer file", **part(total=1)),
    Case("206 of a shorter file", **part(total=-1)),
    Case("206 without Content-Range", **part(said="")),
    Case("206 with Content-Range of no sense", **part(said="bytes 9-1/x")),
    Case("206 in other units", **part(said=f"lines 10000-299999/{len(DATA)}")),
    Case("206 as multipart", **part(multipart=True)),
    Case("206 of another version", cut_then(), always=faults.of_parts(faults.other_tag())),
    Case("206 of bytes that are elsewhere in the file", **part(lie=1),
         digest=(RIGHT, not_promised()), plain=BELIEVED),
    Case("206 to a request for the whole", always=faults.wrong_part(shift=5), asked=None,
         every=refused("206")),
    Case("no validator", cut_then(), always=faults.no_validators()),
    Case("no validator and cut", [faults.no_validators(10_000)]),
    Case("parts are refused by every other request",
         [None, *[faults.status(503), None] * 8]),
    Case("every part is cut", cut_then(), always=faults.of_parts(faults.cuts(5_003, 1, 20_000))),
    Case("a part stalls", cut_then(faults.hold_after(100)), read_timeout=0.3),
]  # fmt: skip

STATUS = [
    *(Case(f"{code} twice", [faults.status(code)] * 2, asked=3, waited=[0.5, 1.0])
      for code in (408, 425, 429, 500, 502, 503, 504)),
    *(Case(f"{code} every time", always=faults.status(code), asked=5, waited=[0.5, 1, 2, 4],
           every=refused(f"{code} .*{SEVERAL}")) for code in (429, 500, 502, 503, 504)),
    *(Case(f"{code} with Retry-After in seconds", [faults.status(code, 7)], waited=[7.0])
      for code in (429, 503)),
    *(Case(f"{code} with Retry-After as a date", [faults.status(code, date(9))], waited=[9.0])
      for code in (429, 503)),
    Case("Retry-After in the past", [faults.status(503, date(-60))], waited=[0.5]),
    Case("Retry-After of a day", [faults.status(503, 86_400)], waited=[120.0]),
    Case("Retry-After of no sense", [faults.status(503, "soon")], waited=[0.5]),
    *(Case(f"{code}", always=faults.status(code), asked=1, waited=[],
           every=refused(f"{code} .*{says}"))
      for code, says in ((401, "login"), (403, "login|licence"), (404, "moved"), (410, "moved"))),
    *(Case(f"{code} where the rest is asked for", cut_then(faults.status(code)))
      for code in (429, 503)),
    Case("304 to an unconditional request", always=faults.status(304, body=b""), asked=1,
         every=refused("304")),
]  # fmt: skip
