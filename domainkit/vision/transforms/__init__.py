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
    from domainkit.vision.transforms.box_care import (
        ClampBoundingBoxes,
        ClampKeyPoints,
        ConvertBoundingBoxFormat,
        SetClampingMode,
    )
    from domainkit.vision.transforms.center_crop import CenterCrop
    from domainkit.vision.transforms.channels_before_time import ChannelsBeforeTime
    from domainkit.vision.transforms.color_jitter import ColorJitter
    from domainkit.vision.transforms.flip import RandomHorizontalFlip
    from domainkit.vision.transforms.iou_crop import RandomIoUCrop
    from domainkit.vision.transforms.normalize import Normalize
    from domainkit.vision.transforms.pad import Pad
    from domainkit.vision.transforms.random_crop import RandomCrop
    from domainkit.vision.transforms.random_resized_crop import RandomResizedCrop
    from domainkit.vision.transforms.resize import Resize
    from domainkit.vision.transforms.sanitize import SanitizeBoundingBoxes, SanitizeKeyPoints
    from domainkit.vision.transforms.temporal import UniformTemporalSubsample
    from domainkit.vision.transforms.to_dtype import ToDtype

_HOME = {  # public name -> the module that defines it
    "CenterCrop": "domainkit.vision.transforms.center_crop",
    "ChannelsBeforeTime": "domainkit.vision.transforms.channels_before_time",
    "ClampBoundingBoxes": "domainkit.vision.transforms.box_care",
    "ClampKeyPoints": "domainkit.vision.transforms.box_care",
    "ColorJitter": "domainkit.vision.transforms.color_jitter",
    "Compose": "domainkit.transform",
    "ConvertBoundingBoxFormat": "domainkit.vision.transforms.box_care",
    "Normalize": "domainkit.vision.transforms.normalize",
    "Pad": "domainkit.vision.transforms.pad",
    "RandomCrop": "domainkit.vision.transforms.random_crop",
    "RandomHorizontalFlip": "domainkit.vision.transforms.flip",
    "RandomIoUCrop": "domainkit.vision.transforms.iou_crop",
    "RandomResizedCrop": "domainkit.vision.transforms.random_resized_crop",
    "Resize": "domainkit.vision.transforms.resize",
    "SanitizeBoundingBoxes": "domainkit.vision.transforms.sanitize",
    "SanitizeKeyPoints": "domainkit.vision.transforms.sanitize",
    "SetClampingMode": "domainkit.vision.transforms.box_care",
    "ToDtype": "domainkit.vision.transforms.to_dtype",
    "UniformTemporalSubsample": "domainkit.vision.transforms.temporal",
}

__all__ = [
    "CenterCrop",
    "ChannelsBeforeTime",
    "ClampBoundingBoxes",
    "ClampKeyPoints",
    "ColorJitter",
    "Compose",
    "ConvertBoundingBoxFormat",
    "Normalize",
    "Pad",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomIoUCrop",
    "RandomResizedCrop",
    "Resize",
    "SanitizeBoundingBoxes",
    "SanitizeKeyPoints",
    "SetClampingMode",
    "ToDtype",
    "UniformTemporalSubsample",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value  # the next touch is a plain attribute
        return value
    raise AttributeError(f"module 'domainkit.vision.transforms' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
