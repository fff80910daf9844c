"""What people do today, with the face of ``dk.Loader``: they lose and repeat samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import distributed
from torch.utils.data import DataLoader, DistributedSampler

from domainkit.batch import Batch
from domainkit.loader import Loader

__all__ = ["SamplerAndSkip"]


class SamplerAndSkip:
    """torch's ``DistributedSampler``; after a restart the batches that were seen are skipped."""

    def __init__(self, dataset: Any, batch_size: int, **options: Any) -> None:
        self.dataset, self.batch_size = dataset, batch_size
        self.shuffle = options.get("shuffle", False)
        self.rank, self.world_size = distributed.get_rank(), distributed.get_world_size()
        self.last = options.get("last", "short")
        # evaluation and the transform are domainkit's: it is the order that is compared
        self._plain = Loader(dataset, batch_size, **options)
        self._sampler = DistributedSampler(dataset, shuffle=True, seed=0)
        self.epoch = self._batches = self._skip = self.padded = 0

    def set_epoch(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.epoch, self._batches, self._skip = epoch, 0, 0
        self._sampler.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "batches": self._batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self._skip = state["epoch"], state["batches"]

    def __len__(self) -> int:
        return len(self._plain)

    def __iter__(self) -> Iterator[Batch]:
        if not self.shuffle:
            yield from self._plain
            return
        batches = DataLoader(
            range(len(self.dataset)), self.batch_size, sampler=self._sampler, collate_fn=list
        )
        self._batches, self._skip = self._skip, 0
        for rows in itertools.islice(batches, self._batches, None):
            self._batches += 1
            batch = self.dataset.batch(rows)
            yield Batch(
                {"image": batch["image"].to(torch.float32) / 255, "label": batch["label"]},
                ids=batch.ids,
            )
