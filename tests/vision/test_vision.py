"""What ``domainkit.vision`` shows, and that showing it loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

import domainkit.transform
import domainkit.vision
from domainkit.vision import transforms

TRANSFORMS = [
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


def test_public_names() -> None:
    assert transforms.__all__ == TRANSFORMS == sorted(TRANSFORMS)
    assert domainkit.vision.__all__ == ["datasets", "decode", "models", "transforms"]
    assert all(getattr(transforms, name).__name__ == name for name in TRANSFORMS)
    assert transforms.Compose is domainkit.transform.Compose
    assert dir(transforms) == TRANSFORMS


DRAWING = {  # besides those whose name begins with Random
    *("AugMix", "AutoAugment", "ColorJitter", "CutMix", "ElasticTransform", "GaussianBlur"),
    *("GaussianNoise", "JPEG", "MixUp", "RandAugment", "ScaleJitter", "TrivialAugmentWide"),
}
KINDS = {"choice", "color", "geometry", "mixing", "pointwise", "targets", "time", "type"}


def test_every_transform_says_what_it_is() -> None:
    for name in TRANSFORMS:
        if name not in ("Compose", "Exportable"):
            kind = getattr(transforms, name)
            assert kind.field == "image"
            assert kind.kind in KINDS
            assert kind.random == (name.startswith("Random") or name in DRAWING)


def test_unknown_names() -> None:
    for module in (domainkit.vision, transforms):
        with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
            _ = module.Nothing


def test_importing_loads_no_library() -> None:
    code = (
        "import sys, domainkit.vision, domainkit.vision.transforms, domainkit.vision.readers;"
        "print([m for m in ('torch', 'numpy', 'PIL', 'simplejpeg') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_transforms_need_no_codec() -> None:
    code = (
        "import sys, torch; from domainkit.vision import transforms as T;"
        "x = torch.zeros(2, 3, 30, 40, dtype=torch.uint8);"
        "T.Compose([T.RandomResizedCrop(8), T.ColorJitter(0.1), T.ToDtype('float32')])(x);"
        "print([m for m in ('PIL', 'simplejpeg', 'torchvision') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
