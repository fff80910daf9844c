"""The ways of fetching that every fault is put before, and what may come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from domainkit.cache import Policy
from domainkit.errors import DigestError, FetchError

__all__ = [
    "BELIEVED",
    "MODES",
    "RIGHT",
    "Believed",
    "Mode",
    "Outcome",
    "Refused",
    "Right",
    "not_promised",
    "refused",
]

PIECE = 32 << 10


class Mode(NamedTuple):
    """``ranges``: over four connections at a time; ``digest``: the publisher gave one."""

    ranges: bool
    digest: bool

    def __str__(self) -> str:
        return f"{'ranges' if self.ranges else 'whole'}-{'digest' if self.digest else 'plain'}"

    def policy(
        self, clock: Any, read_timeout: float = 5.0, connect_timeout: float = 5.0, **others: Any
    ) -> Policy:
        """No real second is slept under it."""
        size = (
            {"large": 2 * PIECE, "piece": PIECE, "jobs": 4, "enough": float("inf")}
            if self.ranges
            else {"jobs": 1}
        )
        return Policy(
            connect_timeout,
            read_timeout,
            sleep=clock.sleep,
            clock=clock,
            monotonic=clock,
            jitter=lambda: 1.0,
            **size,
            **others,
        )


MODES = tuple(Mode(ranges, digest) for ranges in (False, True) for digest in (True, False))


@dataclass(frozen=True)
class Right:
    """The right file, and nothing else is left."""


@dataclass(frozen=True)
class Refused:
    """An error of exactly this class whose message matches ``words``.

    ``resumable``: bytes may be left for the next run; otherwise nothing is.
    """

    kind: type[FetchError]
    words: str
    resumable: bool = False


@dataclass(frozen=True)
class Believed:
    """A wrong file, as no digest, size or header told anybody so: trusted on first use.

    ``change``: what became of the right bytes, where the test knows.
    """

    change: Callable[[bytes], bytes] | None = None

    def makes(self, data: bytes) -> bytes | None:
        return None if self.change is None else self.change(data)


Outcome = Right | Refused | Believed
RIGHT = Right()
BELIEVED = Believed()


def refused(words: str, resumable: bool = False) -> Refused:
    return Refused(FetchError, words, resumable)


def not_promised(words: str = "expected sha256:") -> Refused:
    return Refused(DigestError, words)
