"""How patient a fetch is, how many connections it opens and how fast it may go."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from domainkit.cache.throttle import Connections, Throttle
from domainkit.errors import FetchError

__all__ = ["Policy", "parse_rate"]


@dataclass(frozen=True)
class Policy:
    """How patient ``fetch`` is, and how much of the line it takes.

    Fetches that are given the same policy share its connections and its bandwidth.

    Attributes:
        connect_timeout, read_timeout: seconds for a connection, and without a single byte.
        attempts: tries in a row without a new byte before an address is given up.
        attempts_before_mirror: the same while another address is left to try.
        attempts_in_all: tries at one address, with new bytes or without.
        backoff, backoff_cap: the n-th wait is drawn from 0 to ``min(cap, backoff * 2**(n-1))``
            seconds.
        retry_after_cap: seconds that a server's Retry-After can make us wait at most.
        deadline: seconds that one fetch may take in all; None for as long as bytes come.
        jobs: connections at a time.
        large: bytes from which on a file is fetched over several connections.
        piece: bytes in the smallest part that a connection is given of such a file.
        enough: bytes per second of one connection from which on more are not opened: they would
            fight for the processor, not for the line.
        bandwidth: bytes per second of all connections together; None for all there is.
        sleep, clock, monotonic, jitter: the passing of time and the draw from [0, 1), for tests.

    Example:
        >>> Policy(jobs=1, bandwidth=500_000).jobs
        1
    """

    connect_timeout: float = 15.0
    read_timeout: float = 30.0
    attempts: int = 5
    attempts_before_mirror: int = 2
    attempts_in_all: int = 100
    backoff: float = 0.5
    backoff_cap: float = 30.0
    retry_after_cap: float = 120.0
    deadline: float | None = None
    jobs: int = 4
    large: int = 32 << 20
    piece: int = 16 << 20
    enough: float = 200e6
    bandwidth: float | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    # An own source: the user's seeded `random` stays where it is.
    jitter: Callable[[], float] = field(default_factory=lambda: random.SystemRandom().random)
    connections: Connections = field(init=False, repr=False, compare=False)
    throttle: Throttle | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("attempts", "attempts_before_mirror", "attempts_in_all", "jobs", "piece"):
            if getattr(self, name) < 1:
                raise FetchError(f"Policy({name}=): expected 1 or more, got {getattr(self, name)}.")
        for name in ("deadline", "bandwidth"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise FetchError(f"Policy({name}=): expected more than 0, or None, got {value}.")
        object.__setattr__(self, "connections", Connections(self.jobs))
        limited = self.bandwidth is not None
        made = Throttle(self.bandwidth, self.sleep, self.monotonic) if limited else None
        object.__setattr__(self, "throttle", made)

    @classmethod
    def from_environment(cls) -> Policy:
        """The policy of DOMAINKIT_JOBS, DOMAINKIT_BANDWIDTH ("5MB") and DOMAINKIT_DEADLINE.

        Equal settings give the same object, whose limits then hold for the process as a whole.

        Raises:
            FetchError: one of them is no such number.

        Example:
            >>> from unittest import mock
            >>> with mock.patch.dict(os.environ, {"DOMAINKIT_BANDWIDTH": "5MB"}):
            ...     Policy.from_environment().bandwidth
            5000000.0
        """
        names = ("DOMAINKIT_JOBS", "DOMAINKIT_BANDWIDTH", "DOMAINKIT_DEADLINE")
        return _from_texts(*(os.environ.get(name, "").strip() for name in names))

    def wait(self, failures: int, after: str | None) -> float:
        """Seconds to wait after so many failures in a row, and the server's Retry-After."""
        drawn = self.jitter() * min(self.backoff_cap, self.backoff * 2 ** (failures - 1))
        asked = 0.0
        if after is not None and after.strip().isdecimal():
            asked = float(after)
        elif after is not None:
            from email.utils import parsedate_to_datetime

            try:
                asked = parsedate_to_datetime(after).timestamp() - self.clock()
            except (TypeError, ValueError, OverflowError):
                asked = 0.0
        return max(drawn, min(asked, self.retry_after_cap))


def parse_rate(text: str) -> float:
    """Bytes per second of ``"5MB"``, ``"500k"``, ``"1.5 GiB/s"``; FetchError for anything else.

    Example:
        >>> parse_rate("5MB"), parse_rate("1KiB/s")
        (5000000.0, 1024.0)
    """
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([kmg]?)(i?)b?(/s)?", text.strip().lower())
    rate = float(found[1]) if found else 0.0
    if found is None or rate <= 0 or (found[3] and not found[2]):
        raise FetchError(
            f"{text!r} is not a bandwidth. Expected bytes per second, like 500kB, 5MB or 1.5MiB."
        )
    return float(rate * (1024 if found[3] else 1000) ** " kmg".index(found[2] or " "))


@lru_cache(maxsize=8)
def _from_texts(jobs: str, bandwidth: str, deadline: str) -> Policy:
    if jobs and not (jobs.isdecimal() and int(jobs) > 0):
        raise _wrong("DOMAINKIT_JOBS", jobs, "a whole number, 1 or more")
    try:
        seconds = float(deadline) if deadline else None
    except ValueError:
        seconds = 0.0
    if seconds is not None and not seconds > 0:
        raise _wrong("DOMAINKIT_DEADLINE", deadline, "a number of seconds, more than 0")
    try:
        rate = parse_rate(bandwidth) if bandwidth else None
    except FetchError as error:
        wanted = "bytes per second, like 500kB, 5MB or 1.5MiB"
        raise _wrong("DOMAINKIT_BANDWIDTH", bandwidth, wanted) from error
    return Policy(jobs=int(jobs or 4), bandwidth=rate, deadline=seconds)


def _wrong(name: str, text: str, wanted: str) -> FetchError:
    return FetchError(f"{name}={text}: expected {wanted}. Set it right, or unset it.")


if hasattr(os, "register_at_fork"):
    # connections that were in use are nobody's in the child
    os.register_at_fork(after_in_child=_from_texts.cache_clear)
