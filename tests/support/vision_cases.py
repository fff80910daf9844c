"""One usual form of every public picture transform, for tests that hold for all of them."""

from __future__ import annotations

from typing import Any

from domainkit.vision import transforms as T

__all__ = ["ELSEWHERE", "FLOATS_ONLY", "OPS", "PIXELS_ONLY", "UINT8_ONLY"]

# takes pictures alone, dense or Ragged, of any number of samples
OPS: tuple[Any, ...] = (
    T.Affine(20, (2, 1), 0.9, 5, "bilinear"),
    T.AugMix(),
    T.AutoAugment(),
    T.CenterCrop(9),
    T.ColorJitter(0.4, 0.4, 0.4, 0.1),
    T.Compose([T.RandomHorizontalFlip(), T.ColorJitter(0.2), T.CenterCrop(9)]),
    T.ConvertImageDtype("float32"),
    T.ElasticTransform(20.0, 2.0),
    T.FiveCrop(7),
    T.GaussianBlur(5),
    T.GaussianNoise(),
    T.Grayscale(3),
    T.Identity(),
    T.JPEG((20, 90)),
    T.Lambda(lambda x: x),
    T.Normalize((0.4,), (0.2,)),
    T.Pad((1, 2, 3, 0), padding_mode="reflect"),
    T.RGB(),
    T.RandAugment(2, 9, fill=0.5),
    T.RandomAdjustSharpness(2.0),
    T.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), 5, "bilinear"),
    T.RandomApply([T.ColorJitter(0.4), T.RandomHorizontalFlip()]),
    T.RandomAutocontrast(),
    T.RandomChannelPermutation(),
    T.RandomChoice([T.RandomInvert(1.0), T.RandomVerticalFlip(1.0)]),
    T.RandomCrop(8, padding=1),
    T.RandomEqualize(),
    T.RandomErasing(0.7),
    T.RandomGrayscale(0.5),
    T.RandomHorizontalFlip(),
    T.RandomInvert(),
    T.RandomOrder([T.RandomInvert(), T.RandomSolarize(0.5), T.RandomVerticalFlip()]),
    T.RandomPerspective(0.4, 0.7),
    T.RandomPhotometricDistort(),
    T.RandomPosterize(3),
    T.RandomResize(8, 14),
    T.RandomResizedCrop((9, 7)),
    T.RandomRotation(30, expand=True),
    T.RandomShortestSize((8, 12), 20),
    T.RandomSolarize(0.6),
    T.RandomVerticalFlip(),
    T.RandomZoomOut(),
    T.Resize((10, 13)),
    T.Rotate(40, "bilinear"),
    T.ScaleJitter((20, 20), (0.5, 1.5)),
    T.TenCrop(7),
    T.ToDtype("float32", scale=True),
    T.TrivialAugmentWide(),
)
UINT8_ONLY = {"JPEG"}
FLOATS_ONLY = {"Normalize"}
# take every dtype, so that none is wrong
PIXELS_ONLY = {type(op).__name__ for op in OPS} - {
    *("CenterCrop", "FiveCrop", "Identity", "Lambda", "Pad", "RandomCrop", "RandomHorizontalFlip"),
    *("RGB", "RandomRotation", "RandomVerticalFlip", "RandomZoomOut", "TenCrop"),
    *("Compose", "RandomApply", "RandomChoice", "RandomOrder"),  # their steps say what they take
    *("ToDtype", "ConvertImageDtype"),
}
ELSEWHERE = {
    "ChannelsBeforeTime": "takes clips",
    "ClampBoundingBoxes": "takes boxes",
    "ClampKeyPoints": "takes points",
    "ConvertBoundingBoxFormat": "takes boxes",
    "CutMix": "takes labels too",
    "Exportable": "is a module around a pipeline",
    "LinearTransformation": "takes pictures of the one size of its matrix",
    "MixUp": "takes labels too",
    "PILToTensor": "takes lists of pictures",
    "RandomIoUCrop": "takes boxes too",
    "RandomMixUpCutMix": "takes labels too",
    "SanitizeBoundingBoxes": "takes boxes",
    "SanitizeKeyPoints": "takes points",
    "SetClampingMode": "takes boxes",
    "ToImage": "takes lists of pictures",
    "ToPILImage": "gives Pillow's pictures",
    "ToPureTensor": "takes what torchvision wraps",
    "ToTensor": "takes lists of pictures",
    "UniformTemporalSubsample": "takes clips",
}
