"""``domainkit.vision.models``: torchvision's names as functions, and domainkit's own networks."""

from __future__ import annotations

import pickle

import pytest
import torch
import torchvision

import domainkit as dk
from domainkit.vision import models
from domainkit.vision.models import torchvision_builder


def test_every_model_of_torchvision_is_a_function() -> None:
    names = torchvision.models.list_models()
    assert set(names) <= set(dir(models))
    for name in names:
        assert getattr(models, name).__name__ == name
    assert {"FashionCNN", "list", "load"} <= set(dir(models))
    assert set(models.list()) >= {*names, "fashion-cnn"}


def test_untrained_unless_weights_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.squeezenet1_1(num_classes=7)
    assert model.card.name == "vision/squeezenet1_1" and model.labels == ()
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 7)
    given = []
    monkeypatch.setattr(
        "domainkit.zoo.load_model",
        lambda name, weights, **args: given.append((name, weights, args)),
    )
    models.resnet50()
    models.resnet50(weights="imagenet1k-v2", device="cpu")
    assert given == [
        ("vision/resnet50", None, {}),
        ("vision/resnet50", "imagenet1k-v2", {"device": "cpu"}),
    ]


def test_it_is_the_network_of_torchvision() -> None:
    torch.manual_seed(0)
    mine = models.resnet18()
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(weights=None).eval()
    picture = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(mine(picture), theirs(picture))


def test_a_builder_is_one_object_that_pickles() -> None:
    assert models.resnet50 is models.resnet50
    assert pickle.loads(pickle.dumps(models.resnet50)) is models.resnet50
    assert models.torchvision_builder is torchvision_builder  # submodules stay what they are


def test_unknown_names_offer_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'resnet5O'\. Did you mean 'resnet50'"):
        models.resnet5O  # noqa: B018  # the access is the test
    assert not hasattr(models, "__wrapped__")
    with pytest.raises(ImportError):
        exec("from domainkit.vision.models import resnet5O")
    assert isinstance(dk.vision.models.load("fashion-cnn"), models.FashionCNN)
