"""How far an archive may expand, and what it and the archives in it have used up of that."""

from __future__ import annotations

from dataclasses import dataclass

from domainkit.errors import ArchiveError

__all__ = ["Budget", "Layer", "Limits"]


@dataclass(frozen=True)
class Limits:
    """How far an archive may expand before it is refused, and what its names may look like.

    The numbers hold for the outermost archive and all archives in it together.

    Attributes:
        max_members: members of any kind.
        max_total: bytes of all members together.
        max_ratio: expanded bytes per byte of the outermost archive, looked at from ``ratio_floor``
            on.
        ratio_floor: bytes below which the ratio is let be (a small file of zeros packs well).
        max_depth: archives that lie in one another, the outermost included.
        case_clashes: let names be that differ only by case or Unicode form. Nothing is ever
            extracted here, so that is safe for a reader which keeps such names apart.

    Example:
        >>> Limits(max_total=10 << 30).max_depth
        4
    """

    max_members: int = 20_000_000
    max_total: int = 4 << 40
    max_ratio: float = 250.0
    ratio_floor: int = 64 << 20
    max_depth: int = 4
    case_clashes: bool = False


class Budget:
    """What one outermost archive, and everything in it, has used up of its limits.

    Attributes:
        packed: bytes of the outermost archive.
        growing: whether it is a stream of unknown length, and ``packed`` is what came so far.
        members: how many came by.
        total: bytes that were unpacked, or that headers promise.
    """

    def __init__(self, limits: Limits, packed: int | None) -> None:
        self.limits = limits
        self.packed = packed or 0
        self.growing = packed is None
        self.members = 0
        self.total = 0

    def spend(self, count: int, label: str, where: str, name: str = "") -> None:
        """Raises ArchiveError where ``count`` more bytes are too many."""
        self.total += count
        limits = self.limits
        if self.total <= limits.ratio_floor and self.total <= limits.max_total:
            return
        where += f" {name!r}" if name else ""
        if self.total > limits.max_total:
            raise ArchiveError(
                f"{label}: expands beyond {limits.max_total:,} bytes ({where}). "
                "If the file is known to be good, pass a larger limits=Limits(max_total=...)."
            )
        if self.total > limits.ratio_floor and self.total > limits.max_ratio * max(self.packed, 1):
            raise ArchiveError(
                f"{label}: {self.packed:,} bytes expand to more than {self.total:,} ({where}), "
                f"beyond the ratio of {limits.max_ratio:g}: a decompression bomb? If the file is "
                "known to be good, pass a larger limits=Limits(max_ratio=...)."
            )


class Layer:
    """One packing, whose bytes are spent once: when a header promises them or when they come.

    Attributes:
        last: the member that came by last, for messages.
    """

    def __init__(self, budget: Budget, label: str) -> None:
        self._budget = budget
        self._label = label
        self._spent = 0
        self.last = ""

    def reach(self, total: int, where: str, name: str = "") -> None:
        """This packing holds ``total`` bytes at least; ``where`` and ``name`` are for the error."""
        if total > self._spent:
            more, self._spent = total - self._spent, total
            self._budget.spend(more, self._label, where, name)
