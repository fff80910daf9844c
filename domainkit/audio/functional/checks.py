"""What the functions accept, said the same way by all of them."""

from __future__ import annotations

from typing import Any

import torch

from domainkit.errors import TransformError

__all__ = ["check_floating", "check_whole"]


def check_floating(name: str, x: Any, *, what: str = "a waveform [..., T]") -> None:
    """TransformError unless ``x`` is a floating tensor with at least one dimension."""
    if not isinstance(x, torch.Tensor):
        raise TransformError(f"{name} takes {what}, got {type(x).__name__}")
    if not x.dtype.is_floating_point or x.ndim < 1:
        dtype = str(x.dtype).removeprefix("torch.")
        raise TransformError(
            f"{name} takes {what} of floating numbers, got {dtype} {tuple(x.shape)}: divide int16 "
            "samples by 32768"
        )


def check_whole(name: str, argument: str, value: Any, least: int) -> None:
    """TransformError unless ``value`` is a whole number of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise TransformError(f"{name}: {argument} is a whole number >= {least}, got {value!r}")
