"""``Check``: one thing that the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Check"]


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: what it is, such as "torchaudio".
        state: "ok", "warning" (domainkit works, something does not) or "fault" (it does not work).
        found: what there is.
        fix: what to do, empty where nothing is to be done.
    """

    name: str
    state: str
    found: str
    fix: str = ""

    def __post_init__(self) -> None:
        if self.state not in ("ok", "warning", "fault"):
            raise ValueError(f"state must be ok, warning or fault, got {self.state!r}")
