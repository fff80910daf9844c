"""Compile the CPU kernels ahead: ``python -m domainkit.vision.transforms.kernels.warm``."""

from __future__ import annotations

import sys
import time

import torch

from domainkit.vision.transforms.kernels.finish import color_finish
from domainkit.vision.transforms.kernels.forms import use_form
from domainkit.vision.transforms.kernels.numba_color import kernel

__all__ = ["warm"]


def warm() -> float:
    """Run each kernel once on every pair of number types; Numba keeps what it compiles on disk.

    Returns:
        Seconds that it took; -1 where Numba cannot be imported.

    Example:
        >>> warm() >= -1
        True
    """
    start = time.perf_counter()
    if kernel() is None:
        return -1.0
    with use_form("numba"):
        for dtype, out in (
            (torch.uint8, torch.uint8),
            (torch.uint8, torch.float32),
            (torch.float32, torch.float32),
        ):
            color_finish(torch.zeros(1, 3, 2, 2, dtype=dtype), out_dtype=out)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.stdout.write(f"{warm():.1f}\n")
