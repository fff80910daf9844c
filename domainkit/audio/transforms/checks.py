"""What the audio transforms accept, said the same way by all of them."""

from __future__ import annotations

from typing import Any

import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["check_features", "check_waveforms"]

PRECISIONS = (torch.float32, torch.float64)


def check_waveforms(op: Any, x: Any) -> None:
    """TransformError unless ``x`` is floating [B, C, T] or a ``Ragged`` of items [C, T_i]."""
    _check_kind(op, x, "waveforms: a tensor [B, C, T] or a Ragged of items [C, T_i]")
    if isinstance(x, Ragged):
        if x.host_shapes.shape[1] != 2 or x.inner:
            raise TransformError(
                f"{_name(op)} takes waveforms [C, T_i], got {x!r}: "
                "add the channel dimension, or put the step before LogMel"
            )
    elif x.ndim != 3:
        raise TransformError(
            f"{_name(op)} takes waveforms [B, C, T], got {list(x.shape)}: "
            "a single waveform is x[None], a batch of mono ones x[:, None]"
        )


def check_features(op: Any, x: Any) -> None:
    """TransformError unless ``x`` is floating [B, T, M] or a ``Ragged`` of items [T_i, M]."""
    _check_kind(op, x, "features: a tensor [B, T, M] or a Ragged of items [T_i, M]")
    if isinstance(x, Ragged):
        if x.host_shapes.shape[1] != 1 or len(x.inner) != 1:
            raise TransformError(
                f"{_name(op)} takes features [T_i, M], got {x!r}: put LogMel before it"
            )
    elif x.ndim != 3:
        raise TransformError(f"{_name(op)} takes features [B, T, M], got {list(x.shape)}")


def _check_kind(op: Any, x: Any, wanted: str) -> None:
    if not isinstance(x, (torch.Tensor, Ragged)):
        raise TransformError(f"{_name(op)} takes {wanted}; got {type(x).__name__}")
    if x.dtype not in PRECISIONS:
        dtype = str(x.dtype).removeprefix("torch.")
        raise TransformError(
            f"{_name(op)} takes float32 or float64, got {dtype}: decode with "
            "domainkit.audio.codec, or divide int16 samples by 32768"
        )


def _name(op: Any) -> str:
    return type(op).__name__
