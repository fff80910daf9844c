"""Batch transforms for pictures, each with a draw of its own per sample.

All take a dense batch [B, C, H, W] or a ``Ragged`` of pictures [C, H_i, W_i], uint8 (0..255) or
floating (0..1). Steps that would turn floating 0..255 white raise, on a CPU, where some values that
they look at are above 16. The classes carry the names that torchvision gave them; each says how
exactly it agrees with ``torchvision.transforms.v2.functional``.

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
    from domainkit.vision.transforms.aug_mix import AugMix
    from domainkit.vision.transforms.auto_augment import AutoAugment
    from domainkit.vision.transforms.box_care import (
        ClampBoundingBoxes,
        ClampKeyPoints,
        ConvertBoundingBoxFormat,
        SetClampingMode,
    )
    from domainkit.vision.transforms.center_crop import CenterCrop
    from domainkit.vision.transforms.channels_before_time import ChannelsBeforeTime
    from domainkit.vision.transforms.color_jitter import ColorJitter
    from domainkit.vision.transforms.containers import RandomApply, RandomChoice, RandomOrder
    from domainkit.vision.transforms.convert import (
        ConvertImageDtype,
        PILToTensor,
        ToImage,
        ToPILImage,
        ToPureTensor,
        ToTensor,
    )
    from domainkit.vision.transforms.elastic import ElasticTransform
    from domainkit.vision.transforms.exportable import Exportable
    from domainkit.vision.transforms.flip import RandomHorizontalFlip, RandomVerticalFlip
    from domainkit.vision.transforms.gaussian_blur import GaussianBlur
    from domainkit.vision.transforms.gaussian_noise import GaussianNoise
    from domainkit.vision.transforms.grayscale import Grayscale, RandomGrayscale
    from domainkit.vision.transforms.identity import Identity, Lambda
    from domainkit.vision.transforms.iou_crop import RandomIoUCrop
    from domainkit.vision.transforms.jpeg import JPEG
    from domainkit.vision.transforms.linear_transformation import LinearTransformation
    from domainkit.vision.transforms.mix import CutMix, MixUp, RandomMixUpCutMix
    from domainkit.vision.transforms.multi_crop import FiveCrop, TenCrop
    from domainkit.vision.transforms.normalize import Normalize
    from domainkit.vision.transforms.pad import Pad
    from domainkit.vision.transforms.perspective import RandomPerspective
    from domainkit.vision.transforms.photometric_distort import (
        RandomChannelPermutation,
        RandomPhotometricDistort,
    )
    from domainkit.vision.transforms.rand_augment import RandAugment, TrivialAugmentWide
    from domainkit.vision.transforms.random_crop import RandomCrop
    from domainkit.vision.transforms.random_erasing import RandomErasing
    from domainkit.vision.transforms.random_levels import (
        RandomAutocontrast,
        RandomEqualize,
        RandomInvert,
        RandomPosterize,
        RandomSolarize,
    )
    from domainkit.vision.transforms.random_resize import (
        RandomResize,
        RandomShortestSize,
        ScaleJitter,
    )
    from domainkit.vision.transforms.random_resized_crop import RandomResizedCrop
    from domainkit.vision.transforms.resize import Resize
    from domainkit.vision.transforms.rgb import RGB
    from domainkit.vision.transforms.rotation import RandomRotation, Rotate
    from domainkit.vision.transforms.sanitize import SanitizeBoundingBoxes, SanitizeKeyPoints
    from domainkit.vision.transforms.sharpness import RandomAdjustSharpness
    from domainkit.vision.transforms.temporal import UniformTemporalSubsample
    from domainkit.vision.transforms.to_dtype import ToDtype
    from domainkit.vision.transforms.zoom_out import RandomZoomOut

_HOME = {  # public name -> the module that defines it
    "Affine": "domainkit.vision.transforms.affine",
    "AugMix": "domainkit.vision.transforms.aug_mix",
    "AutoAugment": "domainkit.vision.transforms.auto_augment",
    "CenterCrop": "domainkit.vision.transforms.center_crop",
    "ChannelsBeforeTime": "domainkit.vision.transforms.channels_before_time",
    "ClampBoundingBoxes": "domainkit.vision.transforms.box_care",
    "ClampKeyPoints": "domainkit.vision.transforms.box_care",
    "ColorJitter": "domainkit.vision.transforms.color_jitter",
    "Compose": "domainkit.transform",
    "ConvertBoundingBoxFormat": "domainkit.vision.transforms.box_care",
    "ConvertImageDtype": "domainkit.vision.transforms.convert",
    "CutMix": "domainkit.vision.transforms.mix",
    "ElasticTransform": "domainkit.vision.transforms.elastic",
    "Exportable": "domainkit.vision.transforms.exportable",
    "FiveCrop": "domainkit.vision.transforms.multi_crop",
    "GaussianBlur": "domainkit.vision.transforms.gaussian_blur",
    "GaussianNoise": "domainkit.vision.transforms.gaussian_noise",
    "Grayscale": "domainkit.vision.transforms.grayscale",
    "Identity": "domainkit.vision.transforms.identity",
    "JPEG": "domainkit.vision.transforms.jpeg",
    "Lambda": "domainkit.vision.transforms.identity",
    "LinearTransformation": "domainkit.vision.transforms.linear_transformation",
    "MixUp": "domainkit.vision.transforms.mix",
    "Normalize": "domainkit.vision.transforms.normalize",
    "PILToTensor": "domainkit.vision.transforms.convert",
    "Pad": "domainkit.vision.transforms.pad",
    "RGB": "domainkit.vision.transforms.rgb",
    "RandAugment": "domainkit.vision.transforms.rand_augment",
    "RandomAdjustSharpness": "domainkit.vision.transforms.sharpness",
    "RandomAffine": "domainkit.vision.transforms.affine",
    "RandomApply": "domainkit.vision.transforms.containers",
    "RandomAutocontrast": "domainkit.vision.transforms.random_levels",
    "RandomChannelPermutation": "domainkit.vision.transforms.photometric_distort",
    "RandomChoice": "domainkit.vision.transforms.containers",
    "RandomCrop": "domainkit.vision.transforms.random_crop",
    "RandomEqualize": "domainkit.vision.transforms.random_levels",
    "RandomErasing": "domainkit.vision.transforms.random_erasing",
    "RandomGrayscale": "domainkit.vision.transforms.grayscale",
    "RandomHorizontalFlip": "domainkit.vision.transforms.flip",
    "RandomInvert": "domainkit.vision.transforms.random_levels",
    "RandomIoUCrop": "domainkit.vision.transforms.iou_crop",
    "RandomMixUpCutMix": "domainkit.vision.transforms.mix",
    "RandomOrder": "domainkit.vision.transforms.containers",
    "RandomPerspective": "domainkit.vision.transforms.perspective",
    "RandomPhotometricDistort": "domainkit.vision.transforms.photometric_distort",
    "RandomPosterize": "domainkit.vision.transforms.random_levels",
    "RandomResize": "domainkit.vision.transforms.random_resize",
    "RandomResizedCrop": "domainkit.vision.transforms.random_resized_crop",
    "RandomRotation": "domainkit.vision.transforms.rotation",
    "RandomShortestSize": "domainkit.vision.transforms.random_resize",
    "RandomSolarize": "domainkit.vision.transforms.random_levels",
    "RandomVerticalFlip": "domainkit.vision.transforms.flip",
    "RandomZoomOut": "domainkit.vision.transforms.zoom_out",
    "Resize": "domainkit.vision.transforms.resize",
    "Rotate": "domainkit.vision.transforms.rotation",
    "SanitizeBoundingBoxes": "domainkit.vision.transforms.sanitize",
    "SanitizeKeyPoints": "domainkit.vision.transforms.sanitize",
    "ScaleJitter": "domainkit.vision.transforms.random_resize",
    "SetClampingMode": "domainkit.vision.transforms.box_care",
    "TenCrop": "domainkit.vision.transforms.multi_crop",
    "ToDtype": "domainkit.vision.transforms.to_dtype",
    "ToImage": "domainkit.vision.transforms.convert",
    "ToPILImage": "domainkit.vision.transforms.convert",
    "ToPureTensor": "domainkit.vision.transforms.convert",
    "ToTensor": "domainkit.vision.transforms.convert",
    "TrivialAugmentWide": "domainkit.vision.transforms.rand_augment",
    "UniformTemporalSubsample": "domainkit.vision.transforms.temporal",
}

__all__ = [
    "Affine",
    "AugMix",
    "AutoAugment",
    "CenterCrop",
    "ChannelsBeforeTime",
    "ClampBoundingBoxes",
    "ClampKeyPoints",
    "ColorJitter",
    "Compose",
    "ConvertBoundingBoxFormat",
    "ConvertImageDtype",
    "CutMix",
    "ElasticTransform",
    "Exportable",
    "FiveCrop",
    "GaussianBlur",
    "GaussianNoise",
    "Grayscale",
    "Identity",
    "JPEG",
    "Lambda",
    "LinearTransformation",
    "MixUp",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RGB",
    "RandAugment",
    "RandomAdjustSharpness",
    "RandomAffine",
    "RandomApply",
    "RandomAutocontrast",
    "RandomChannelPermutation",
    "RandomChoice",
    "RandomCrop",
    "RandomEqualize",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomInvert",
    "RandomIoUCrop",
    "RandomMixUpCutMix",
    "RandomOrder",
    "RandomPerspective",
    "RandomPhotometricDistort",
    "RandomPosterize",
    "RandomResize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomShortestSize",
    "RandomSolarize",
    "RandomVerticalFlip",
    "RandomZoomOut",
    "Resize",
    "Rotate",
    "SanitizeBoundingBoxes",
    "SanitizeKeyPoints",
    "ScaleJitter",
    "SetClampingMode",
    "TenCrop",
    "ToDtype",
    "ToImage",
    "ToPILImage",
    "ToPureTensor",
    "ToTensor",
    "TrivialAugmentWide",
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
