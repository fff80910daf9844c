"""Transforms that a loader's process can import."""

from __future__ import annotations

import os

import torch

from domainkit.batch import Batch
from domainkit.draws import Draws

__all__ = ["fail_at_30", "jitter", "unpicklable", "who"]


class Unpicklable(Exception):
    """An error that cannot be sent."""

    def __reduce__(self):
        raise TypeError("stays here")


def jitter(batch: Batch, draws: Draws) -> Batch:
    """A column of noise that belongs to the samples."""
    return Batch({**batch, "noise": draws.uniform(3)}, ids=batch.ids)


def who(batch: Batch, draws: Draws) -> Batch:
    """A column that says which process made it."""
    return Batch({"pid": torch.full((len(batch.ids),), os.getpid())}, ids=batch.ids)


def fail_at_30(batch: Batch, draws: Draws) -> Batch:
    """An error in one batch."""
    if 30 in batch["number"]:
        raise ZeroDivisionError("row 30")
    return batch


def unpicklable(batch: Batch, draws: Draws) -> Batch:
    """An error that cannot be sent."""
    raise Unpicklable("cannot say")
