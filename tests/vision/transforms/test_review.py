"""Faults that a review by hand found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import domainkit as dk
from domainkit.vision import transforms as T
from domainkit.vision.transforms.resize import resize_into


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("antialias", [True, False])
def test_one_pixel_comes_out_of_uint8_pictures(channels: int, antialias: bool) -> None:
    """torch's own uint8 filter ends in an assertion there."""
    x = torch.randint(0, 256, (2, channels, 9, 12), dtype=torch.uint8)
    small = T.Resize((1, 1), antialias=antialias)(x)
    exact = T.Resize((1, 1), antialias=antialias)(x.double())
    assert small.dtype == torch.uint8
    assert small.shape == (2, channels, 1, 1)
    assert (small.double() - exact).abs().max() <= 0.51


def test_one_pixel_is_written_in_place() -> None:
    x = torch.randint(0, 256, (2, 3, 9, 12), dtype=torch.uint8)
    out = torch.empty(2, 3, 1, 1, dtype=torch.uint8)
    resize_into(out, x)
    assert torch.equal(out, T.Resize((1, 1))(x))


@pytest.mark.parametrize("container", [T.RandomApply, T.RandomChoice, T.RandomOrder])
def test_containers_come_back_from_a_recipe(container: type, tmp_path: Path) -> None:
    inner = T.RandomChoice([T.RandomInvert(1.0), T.RandomAffine(10, scale=(0.5, 1.0))], p=[1, 2])
    pipeline = T.Compose([container([T.ColorJitter(0.4), inner]), T.CenterCrop(4)])
    dk.save_recipe(pipeline, tmp_path / "own-train-1.toml", summary="Mine.")
    assert dk.load_recipe(tmp_path / "own-train-1.toml") == pipeline
