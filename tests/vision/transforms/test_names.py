"""Every transform of torchvision v2 has its place here under its own name."""

from __future__ import annotations

import inspect

import torch
import torchvision.transforms.v2 as V

from domainkit.transform import Compose, Transform
from domainkit.vision import transforms

ELSEWHERE = {
    "AutoAugmentPolicy": 'an enum: the strings "imagenet", "cifar10" and "svhn"',
    "InterpolationMode": 'an enum: the strings "nearest", "bilinear" and "bicubic"',
    "Transform": "the base class: domainkit.transform.Transform",
}


def theirs() -> set[str]:
    return {name for name, kind in vars(V).items() if inspect.isclass(kind) and name[0] != "_"}


def test_every_class_of_torchvision_has_its_place() -> None:
    assert len(theirs()) >= 63
    assert sorted(theirs() - set(transforms.__all__) - set(ELSEWHERE)) == []


def test_reasons_are_for_what_exists_and_is_not_here() -> None:
    assert set(ELSEWHERE) <= theirs()
    assert not set(ELSEWHERE) & set(transforms.__all__)


def test_public_names_are_transforms_with_a_page_of_their_own() -> None:
    # Exportable makes a module of a pipeline
    for name in set(transforms.__all__) - {"Exportable"}:
        kind = getattr(transforms, name)
        assert issubclass(kind, (Transform, Compose)) and kind.__name__ == name
        assert kind.__doc__ and ">>>" in kind.__doc__, name
        assert not issubclass(kind, torch.nn.Module)


def test_names_are_in_order() -> None:
    assert transforms.__all__ == sorted(transforms.__all__)
    assert dir(transforms) == transforms.__all__
