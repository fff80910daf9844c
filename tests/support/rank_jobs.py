"""What the ranks of ``on_ranks`` do: evaluate and train, each with its part of the samples."""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from domainkit.dataset import Dataset
from domainkit.loader import Loader
from domainkit.training import evaluate, fit

__all__ = ["evaluate_and_train"]


def _net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 3))  # buffers, which DDP keeps equal


def evaluate_and_train(
    ds: Dataset, sizes: list[tuple[int, int]], batch_size: int, epochs: int
) -> tuple[list[Any], dict[str, torch.Tensor]]:
    return evaluate_parts(ds, sizes), train_parts(ds, batch_size, epochs)


def evaluate_parts(ds: Dataset, sizes: list[tuple[int, int]]) -> list[Any]:
    """(rows, batch size) -> the number of this rank's batches, and what evaluate says."""
    told: list[Any] = []
    for rows, batch_size in sizes:
        model = DistributedDataParallel(_net())
        with model.join():  # after this its forward would speak even without need
            pass
        loader = Loader(ds[:rows], batch_size)
        whole = Loader(ds[:rows], batch_size, rank=0, world_size=1)
        told.append((len(loader), evaluate(model, loader, field="x")))
        assert evaluate(model, whole, field="x") == told[-1][1]
    for wrong in (2, 5):
        try:
            evaluate(_net(), Loader(ds, 5, rank=1, world_size=wrong), field="x")
        except ValueError as error:
            told.append(str(error))
    return told


def train_parts(ds: Dataset, batch_size: int, epochs: int) -> dict[str, torch.Tensor]:
    """The weights after training on this rank's part of every batch."""
    assert distributed.get_world_size() > 1
    torch.manual_seed(1)
    model = DistributedDataParallel(nn.Linear(2, 3))
    loader = Loader(ds, batch_size, shuffle=True, seed=2, last="drop")
    fit(model, loader, field="x", epochs=epochs, lr=0.05)
    assert not model.training
    return {name: tensor.detach() for name, tensor in model.module.named_parameters()}
