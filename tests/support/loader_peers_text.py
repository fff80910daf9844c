"""The loaders of token rows that ``tests/benchmarks/loader.py`` compares.

All of them take rows that were tokenized before, in a random order, and give int64 [64, L], filled
up with zeros, and the lengths; domainkit also as ``Ragged``, which nobody has to fill up. The rows
of the other loaders lie in an Arrow file of HF datasets, or in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from support.loader_jobs import Job, Peer
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

__all__ = ["PEERS"]


def domainkit(job: Job, pad: bool = True, **options: Any) -> Any:
    import domainkit as dk
    from domainkit.dataset import Dataset as Rows
    from domainkit.store import Store

    rows = Rows(Store(Path(job.folder) / "texts-store")).select_columns(["tokens"])[: job.count]
    return dk.Loader(rows, job.batch, shuffle=True, transform=_pad if pad else None, **options)


def _pad(batch: Any, draws: Any) -> Any:
    batch["tokens"], batch["length"] = batch["tokens"].pad()
    return batch


def from_datasets(job: Job, form: str) -> Any:
    """Rows of HF datasets, memory-mapped, as dicts of arrays."""
    from datasets import load_from_disk

    return load_from_disk(str(Path(job.folder) / "texts-hf")).take(job.count).with_format(form)


def from_list(job: Job, form: str) -> list[Any]:
    """Rows in memory: lists of ints, or tensors."""
    rows = json.loads((Path(job.folder) / "tokens.json").read_text())[: job.count]
    return rows if form == "ints" else [torch.tensor(row) for row in rows]


def padded(rows: Sequence[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """int64 [B, L] and the lengths [B], from dicts of arrays, tensors or lists of ints."""
    if isinstance(rows[0], dict):
        rows = [row["tokens"] for row in rows]
    # a copy of numpy's arrays, which may not be written to
    found = list(rows) if isinstance(rows[0], torch.Tensor) else [torch.tensor(r) for r in rows]
    return pad_sequence(found, batch_first=True), torch.tensor([len(row) for row in found])


def torch_loader(rows: Callable[[Job, str], Any], form: str, workers: int) -> Callable[[Job], Any]:
    def make(job: Job) -> Any:
        return DataLoader(
            rows(job, form), job.batch, shuffle=True, collate_fn=padded, num_workers=workers
        )

    return make


def amount(batch: Any) -> float:
    """Tokens in a batch, which is checked on the way."""
    if isinstance(batch, dict) and "length" not in batch:
        assert batch["tokens"].values.dtype == torch.int64
        return len(batch["tokens"].values)
    tokens, lengths = (batch["tokens"], batch["length"]) if isinstance(batch, dict) else batch
    assert tokens.dtype == torch.int64
    assert tokens.shape == (len(lengths), int(lengths.max())), tokens.shape
    return float(lengths.sum())


_OWN = ("domainkit",)

PEERS = [
    Peer("domainkit", _OWN, domainkit, amount),
    Peer("domainkit, 0 threads", _OWN, lambda j: domainkit(j, num_threads=0), amount),
    Peer("domainkit, Ragged", _OWN, lambda j: domainkit(j, pad=False), amount),
    *(
        Peer(f"DataLoader, {workers} workers, {name}", packages,
             torch_loader(rows, form, workers), amount, True)
        for name, packages, rows, form in (
            ("datasets torch", ("datasets",), from_datasets, "torch"),
            ("datasets numpy", ("datasets",), from_datasets, "numpy"),
            ("list of lists", (), from_list, "ints"),
            ("list of tensors", (), from_list, "tensors"),
        )
        for workers in (0, 2)
    ),
]  # fmt: skip
