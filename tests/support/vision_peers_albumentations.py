"""What albumentations does in the rows of ``tests/benchmarks/vision.py``, and what is not the same.

It works on one picture [H, W, 3] at a time, as its users do in a dataset, and its pictures stay so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

__all__ = ["batch_job"]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Seen beside torchvision's functions on the photographs of the rows: flips are equal; affine maps,
# blur, brightness, contrast and saturation within 1 level; hue up to 8 levels off (the 180 hues of
# OpenCV's uint8), autocontrast up to 5, equalize up to 28.
_HUE = "180 hues"
# row -> what is not the same work as ours; rows that it has nothing for are not here
NOTES: Mapping[str, str] = {
    "flip + affine + jitter + normalize": _HUE,
    "flip + jitter + normalize": _HUE,
    "color jitter": _HUE,
    "flip": "",
    "affine": "",
    "gaussian blur 5": "",
    "erasing": "",
    "autocontrast": "levels within 5",
    "equalize": "levels within 28",
    "sharpness": "another filter, Gaussian 3",
}


def batch_job(row: str, x: torch.Tensor) -> dict[str, Callable[[], Any]]:
    """Name with its note -> the work of a row on uint8 pictures [B, 3, H, W]; empty without it."""
    try:
        import albumentations as A
        import cv2
    except ImportError:
        return {}
    if row not in NOTES:
        return {}
    cv2.setNumThreads(torch.get_num_threads())
    op = A.Compose(_steps(A, row))
    pictures = list(x.permute(0, 2, 3, 1).contiguous().numpy())
    name = f"albumentations ({NOTES[row]})" if NOTES[row] else "albumentations"
    return {name: lambda: np.stack([op(image=picture)["image"] for picture in pictures])}


def _steps(A: Any, row: str) -> list[Any]:
    flip, normalize = A.HorizontalFlip(0.5), A.Normalize(MEAN, STD)
    jitter = A.ColorJitter(0.4, 0.4, 0.4, 0.1, p=1.0)
    shares = {"x": (-0.1, 0.1), "y": (-0.1, 0.1)}
    affine = A.Affine(
        (0.9, 1.1), shares, None, (-15, 15), {"x": (-10, 10), "y": (0, 0)}, keep_ratio=True, p=1.0
    )
    steps: dict[str, list[Any]] = {
        "flip + affine + jitter + normalize": [flip, affine, jitter, normalize],
        "flip + jitter + normalize": [flip, jitter, normalize],
        "color jitter": [jitter],
        "flip": [flip],
        "affine": [affine],
        "gaussian blur 5": [A.GaussianBlur((5, 5), (0.1, 2.0), p=1.0)],
        "erasing": [A.Erasing((0.02, 0.33), (0.3, 3.3), p=1.0)],
        "autocontrast": [A.AutoContrast(method="pil", p=1.0)],
        "equalize": [A.Equalize("pil", p=1.0)],
        "sharpness": [A.Sharpen((0.7, 0.7), method="gaussian", kernel_size=3, p=1.0)],
    }
    return steps[row]
