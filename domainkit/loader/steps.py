"""Which places of the sequence make this rank's next batch: the cutting of an epoch into steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from domainkit.loader.batching import Budget
from domainkit.loader.sequence import Windowed
from domainkit.order import rank_share

__all__ = ["Cutting", "Step", "budget_steps", "fixed_steps"]


@dataclass(frozen=True)
class Cutting:
    """Who cuts: the place of this process, and what becomes of the last step."""

    rank: int
    world_size: int
    last: str


@dataclass(frozen=True)
class Step:
    """One rank's batch: places [first, last) of the sequence.

    ``stop`` is the cursor after it; ``padding`` counts the samples that all ranks together get
    again in it.
    """

    number: int
    first: int
    last: int
    stop: int
    padding: int


def fixed_steps(n: int, size: int, cursor: int, cut: Cutting) -> Iterator[Step]:
    """Steps of ``size * world_size`` consecutive places, each rank getting a contiguous part.

    Example:
        >>> cut = Cutting(rank=1, world_size=2, last="short")
        >>> [(step.first, step.last) for step in fixed_steps(10, 3, 0, cut)]
        [(3, 6), (8, 10)]
    """
    world, number = size * cut.world_size, 0
    for start in range(cursor, n, world):
        stop, padding = min(start + world, n), 0
        if stop - start < world:
            if cut.last == "drop":
                return
            if cut.last == "pad":
                padding = world - (stop - start)
        first, last = rank_share(start, stop + padding, cut.rank, cut.world_size)
        if first < last:
            yield Step(number, first, last, stop, padding)
            number += 1


def budget_steps(
    sequence: Windowed,
    budget: Budget,
    cursor: int,
    cut: Cutting,
    ahead: Callable[[int], None] = lambda window: None,
) -> Iterator[Step]:
    """Steps of ``world_size`` consecutive batches that fit the budget, one for each rank.

    In a last step that has too few of them, "short" gives some ranks none, and "pad" gives its
    batches again to the ranks that lack one.

    Args:
        ahead: told a window that will be asked for soon.
    """
    batches = _batches(sequence, budget, cursor, ahead)
    number = 0
    while group := list(islice(batches, cut.world_size)):
        stop, padding = group[-1][1], 0
        if len(group) < cut.world_size:
            if cut.last == "drop":
                return
            if cut.last == "pad":
                again = [group[i % len(group)] for i in range(len(group), cut.world_size)]
                padding = sum(last - first for first, last in again)
                group += again
        if cut.rank < len(group):
            first, last = group[cut.rank]
            yield Step(number, first, last, stop, padding)
            number += 1


def _batches(
    sequence: Windowed, budget: Budget, cursor: int, ahead: Callable[[int], None]
) -> Iterator[tuple[int, int]]:
    size = sequence.windowing.window
    while cursor < len(sequence):
        window, start = divmod(cursor, size)
        lengths = sequence.plan(window)[1][start:]
        if (window + 1) * size < len(sequence):
            ahead(window + 1)
        first = cursor
        for end in [*budget.cuts(lengths), len(lengths)]:
            yield first, cursor + end
            first = cursor + end
        cursor += len(lengths)
