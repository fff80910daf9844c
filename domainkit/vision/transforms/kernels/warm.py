"""Compile the CPU kernels ahead: ``python -m domainkit.vision.transforms.kernels.warm``."""

from __future__ import annotations

import sys
import time

import torch

from domainkit.vision.transforms.affine import RandomAffine
from domainkit.vision.transforms.gaussian_blur import GaussianBlur
from domainkit.vision.transforms.gaussian_noise import GaussianNoise
from domainkit.vision.transforms.kernels.finish import color_finish
from domainkit.vision.transforms.kernels.forms import use_form
from domainkit.vision.transforms.kernels.numba_color import kernel
from domainkit.vision.transforms.perspective import RandomPerspective
from domainkit.vision.transforms.sharpness import RandomAdjustSharpness

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
        for dtype in (torch.uint8, torch.float32):
            for step in (
                RandomAffine(10),
                RandomPerspective(p=1.0),
                GaussianBlur(3),
                RandomAdjustSharpness(2.0, p=1.0),
                GaussianNoise(),
            ):
                step(torch.zeros(1, 3, 32, 32, dtype=dtype))
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.stdout.write(f"{warm():.1f}\n")
