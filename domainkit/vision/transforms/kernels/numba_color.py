"""The Numba form of ``color_finish``: what it can do, and how a batch is handed to the kernel."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from domainkit.outputs import fresh
from domainkit.ragged import Ragged
from domainkit.vision.transforms.kernels.pool import in_parts

if TYPE_CHECKING:
    from domainkit.vision.transforms._program import Program

__all__ = ["can_run", "color_finish_numba", "kernel"]

_OUT = {torch.uint8: (torch.uint8, torch.float32), torch.float32: (torch.float32,)}


def can_run(
    x: torch.Tensor | Ragged,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    out_dtype: torch.dtype,
) -> bool:
    """Whether this form does the work: uint8 or float32 on the CPU, 1 or 3 channels, no gradient.

    What is wrong is left to the torch form too, which says what.
    """
    if torch.compiler.is_compiling() or x.device.type != "cpu":
        return False
    if out_dtype not in _OUT.get(x.dtype, ()):
        return False
    values = x.values if isinstance(x, Ragged) else x
    if values.numel() == 0 or values.requires_grad or type(values) is not torch.Tensor:
        return False
    channels = set(x.host_shapes[:, 0].tolist()) if isinstance(x, Ragged) else {x.shape[1]}
    if not channels <= {1, 3}:
        return False
    if mean is not None or std is not None:
        if mean is None or std is None or out_dtype != torch.float32 or 0 in std:
            return False
        if len(mean) != len(std) or (len(mean) != 1 and {len(mean)} != channels):
            return False
    return kernel() is not None


@cache
def kernel() -> Callable[..., None] | None:
    """The compiled kernel; None where there is no Numba. It is made at the first call."""
    try:
        import numba  # noqa: F401  # an installation may be there and broken
    except ImportError:
        return None
    logging.getLogger("domainkit").info(
        "the colour kernels are loaded; the first time Numba compiles them, which takes up to a "
        "minute (`domainkit doctor --warm` does it ahead)"
    )
    from domainkit.vision.transforms.kernels._numba_picture import run_batch

    return run_batch


def color_finish_numba(
    x: torch.Tensor | Ragged,
    program: Program | None,
    hflip: torch.Tensor | None,
    vflip: torch.Tensor | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    out_dtype: torch.dtype,
    scale: bool,
) -> torch.Tensor | Ragged:
    """As ``color_finish``, for what ``can_run``.

    Exactness, against ``color_finish_torch``: the same bits from uint8; within 1e-5 from float32
    (the mean of the grey picture is added up in another order; 3e-6 after the usual jitter).
    """
    batch = len(x)
    source, at, steps, shapes = _layout(x)
    out: torch.Tensor | Ragged
    room = fresh(int(shapes.prod(1).sum()), str(out_dtype).removeprefix("torch."))
    if isinstance(x, Ragged):
        out = x.with_values(torch.from_numpy(room))
    elif steps[0, 0] == 1 and x.shape[1] > 1:
        b, c, h, w = x.shape
        out = torch.from_numpy(room).view(b, h, w, c).permute(0, 3, 1, 2)
    else:
        out = torch.from_numpy(room).view(x.shape)
    _, to, to_steps, _ = _layout(out)
    if program is None:
        codes, amounts = np.zeros((batch, 0), np.int64), np.zeros((batch, 0), np.float32)
    else:
        codes = program.codes.contiguous().numpy()
        amounts = program.amounts.float().contiguous().numpy()
    unit = np.float32(1 / 255 if scale and x.dtype != out_dtype else 1)
    run = kernel()
    assert run is not None
    arguments = (
        *(source, at, steps, room, to, to_steps, shapes, codes, amounts),
        *(_mask(hflip, batch), _mask(vflip, batch)),
        *(unit, _three(mean, 0.0), _three(std, 1.0), mean is not None),
    )
    in_parts(lambda first, end: run(*arguments, first, end), shapes.prod(1))
    return out


def _layout(x: torch.Tensor | Ragged) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All numbers flat; where pictures start [B]; strides [B, 3] and shapes [B, 3] of (C, H, W)."""
    if isinstance(x, Ragged):
        shapes = np.ascontiguousarray(x.host_shapes)
        c, h, w = shapes.T
        one = np.ones_like(c)
        planes, pixels = np.stack([h * w, w, one], 1), np.stack([one, w * c, c], 1)
        steps = pixels if x.channels_last else planes
        at = np.ascontiguousarray(x.host_offsets[:-1])
        return x.values.detach().contiguous().numpy(), at, steps, shapes
    batch, c, h, w = x.shape
    if x.stride(3) != 1 and not (x.stride(3) == c and x.stride(1) == 1):
        x = x.contiguous()
    stride = x.stride()
    span = 1 + sum((n - 1) * s for n, s in zip(x.shape, stride, strict=True))
    flat = x.detach().as_strided((span,), (1,), x.storage_offset()).numpy()
    at = np.arange(batch, dtype=np.int64) * stride[0]
    steps = np.tile(np.array(stride[1:], np.int64), (batch, 1))
    return flat, at, steps, np.tile(np.array([c, h, w], np.int64), (batch, 1))


def _mask(mask: torch.Tensor | None, batch: int) -> np.ndarray:
    return np.zeros(batch, np.bool_) if mask is None else mask.cpu().contiguous().numpy()


def _three(numbers: Any, otherwise: float) -> np.ndarray:
    values = (otherwise,) if numbers is None else numbers
    return np.array(values if len(values) == 3 else [values[0]] * 3, np.float32)
