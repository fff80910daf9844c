"""How much memory of their own the workers of a torch ``DataLoader`` take."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

__all__ = ["Measured", "in_workers", "own_memory"]

MEASURE = -1


class Measured(Dataset[Any]):
    """Any map-style dataset; the row -1 is the memory of the process that is asked."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Any:
        return own_memory() if i == MEASURE else self.rows[i]


def own_memory() -> int:
    """Bytes that this process alone holds: of its USS, what is not the unchanged page of a file.

    Of such pages the system keeps one copy for everybody, and it can let go of them.
    """
    text = Path("/proc/self/smaps_rollup").read_text()
    (kilobytes,) = re.findall(r"^Private_Dirty: +(\d+) kB$", text, re.MULTILINE)
    return int(kilobytes) * 1024


def in_workers(rows: Any, start_method: str, reads: int = 20_000, workers: int = 2) -> list[int]:
    """The memory of each worker after it has read samples all over ``rows``."""
    spread = np.linspace(0, len(rows) - 1, reads).astype(int).reshape(-1, 100)
    batches: list[list[int]] = [*spread.tolist(), *[[MEASURE]] * workers]
    loader: Any = DataLoader(
        Measured(rows),
        batch_sampler=batches,  # type: ignore[arg-type]
        collate_fn=_last_one,
        num_workers=workers,
        multiprocessing_context=start_method,
        worker_init_fn=_collect_nothing,
    )
    return _tail(iter(loader), workers)


def _collect_nothing(_: int) -> None:
    """A collection looks at all objects of the test process, and a forked worker copies them."""
    gc.disable()


def _last_one(samples: list[Any]) -> Any:
    return samples[-1] if isinstance(samples[-1], int) else 0


def _tail(answers: Iterator[Any], n: int) -> list[int]:
    return [int(answer) for answer in answers][-n:]
