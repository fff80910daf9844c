"""Several processes that talk by torch.distributed, for tests of what ranks do together."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing

__all__ = ["on_ranks"]


def on_ranks(function: str, world_size: int, *args: Any) -> list[Any]:
    """Call ``module:name`` with ``args`` in ``world_size`` processes at once; what each returned.

    They speak by gloo and meet in a file, so that no port is needed.
    """
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.start_processes(
            _rank,
            (function, world_size, folder, args),
            nprocs=world_size,
            start_method="spawn",
        )
        return [
            torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(world_size)
        ]


def _rank(rank: int, function: str, world_size: int, folder: str, args: Sequence[Any]) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size
    )
    try:
        module, _, name = function.partition(":")
        result = getattr(importlib.import_module(module), name)(*args)
        torch.save(result, Path(folder) / f"{rank}.pt")
    finally:
        distributed.destroy_process_group()
