"""A bank of sounds that a transform picks from: noises, responses of rooms."""

from __future__ import annotations

from typing import Any

import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["as_bank"]


def as_bank(op: Any, name: str, given: Any) -> Ragged:
    """``given``, a ``Ragged`` of items [T_i] or a tensor [N, T], as a ``Ragged``.

    Raises:
        TransformError: anything else, an empty bank, or a sound without a sample.
    """
    bank = given
    if isinstance(bank, torch.Tensor) and bank.ndim == 2 and bank.numel():
        bank = Ragged.from_shapes(bank.reshape(-1), [[bank.shape[1]]] * len(bank))
    if (
        not isinstance(bank, Ragged)
        or bank.item_ndim != 1
        or not bank.values.is_floating_point()
        or not len(bank)
        or not bank.host_shapes.min()
    ):
        raise TransformError(
            f"{type(op).__name__} takes {name} as a Ragged of items [T_i] or a tensor [N, T], with "
            f"a sample in each at least; got {given!r:.200}"
        )
    return bank
