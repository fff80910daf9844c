"""Batch transforms for pictures, each with a draw of its own per sample.

All take a dense batch [B, C, H, W] or a ``Ragged`` of pictures [C, H_i, W_i], uint8 (0..255) or
floating (0..1). The classes carry the names that torchvision gave them; each says how exactly it
agrees with ``torchvision.transforms.v2.functional``.

Example:
    >>> import torch
    >>> from domainkit.vision import transforms as T
    >>> train = T.Compose([T.RandomHorizontalFlip(0.5), T.ToDtype("float32", scale=True)])
    >>> train(torch.zeros(8, 1, 28, 28, dtype=torch.uint8)).dtype
    torch.float32
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.transform import Compose
    from domainkit.vision.transforms.affine import Affine, RandomAffine
    from domainkit.vision.transforms.center_crop import CenterCrop
    from domainkit.vision.transforms.color_jitter import ColorJitter
    from domainkit.vision.transforms.elastic import ElasticTransform
    from domainkit.vision.transforms.flip import RandomHorizontalFlip, RandomVerticalFlip
    from domainkit.vision.transforms.multi_crop import FiveCrop, TenCrop
    from domainkit.vision.transforms.normalize import Normalize
    from domainkit.vision.transforms.pad import Pad
    from domainkit.vision.transforms.perspective import RandomPerspective
    from domainkit.vision.transforms.random_crop import RandomCrop
    from domainkit.vision.transforms.random_resize import (
        RandomResize,
        RandomShortestSize,
        ScaleJitter,
    )
    from domainkit.vision.transforms.random_resized_crop import RandomResizedCrop
    from domainkit.vision.transforms.resize import Resize
    from domainkit.vision.transforms.rotation import RandomRotation, Rotate
    from domainkit.vision.transforms.to_dtype import ToDtype
    from domainkit.vision.transforms.zoom_out import RandomZoomOut

_HOME = {  # public name -> the module that defines it
    "Affine": "domainkit.vision.transforms.affine",
    "CenterCrop": "domainkit.vision.transforms.center_crop",
    "ColorJitter": "domainkit.vision.transforms.color_jitter",
    "Compose": "domainkit.transform",
    "ElasticTransform": "domainkit.vision.transforms.elastic",
    "FiveCrop": "domainkit.vision.transforms.multi_crop",
    "Normalize": "domainkit.vision.transforms.normalize",
    "Pad": "domainkit.vision.transforms.pad",
    "RandomAffine": "domainkit.vision.transforms.affine",
    "RandomCrop": "domainkit.vision.transforms.random_crop",
    "RandomHorizontalFlip": "domainkit.vision.transforms.flip",
    "RandomPerspective": "domainkit.vision.transforms.perspective",
    "RandomResize": "domainkit.vision.transforms.random_resize",
    "RandomResizedCrop": "domainkit.vision.transforms.random_resized_crop",
    "RandomRotation": "domainkit.vision.transforms.rotation",
    "RandomShortestSize": "domainkit.vision.transforms.random_resize",
    "RandomVerticalFlip": "domainkit.vision.transforms.flip",
    "RandomZoomOut": "domainkit.vision.transforms.zoom_out",
    "Resize": "domainkit.vision.transforms.resize",
    "Rotate": "domainkit.vision.transforms.rotation",
    "ScaleJitter": "domainkit.vision.transforms.random_resize",
    "TenCrop": "domainkit.vision.transforms.multi_crop",
    "ToDtype": "domainkit.vision.transforms.to_dtype",
}

__all__ = [
    "Affine",
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ElasticTransform",
    "FiveCrop",
    "Normalize",
    "Pad",
    "RandomAffine",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomPerspective",
    "RandomResize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomShortestSize",
    "RandomVerticalFlip",
    "RandomZoomOut",
    "Resize",
    "Rotate",
    "ScaleJitter",
    "TenCrop",
    "ToDtype",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value  # the next touch is a plain attribute
        return value
    raise AttributeError(f"module 'domainkit.vision.transforms' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
