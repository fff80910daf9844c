"""Faults that a review by hand found."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import domainkit as dk
from domainkit.errors import TransformError
from domainkit.vision import transforms as T
from domainkit.vision.transforms.kernels.forms import numba_can
from domainkit.vision.transforms.kernels.window import resize_window
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


def test_a_window_of_one_pixel_at_the_corner() -> None:
    x = torch.randint(0, 256, (1, 3, 9, 12), dtype=torch.uint8)
    out = torch.empty(1, 3, 1, 1, dtype=torch.uint8)
    resize_window(out, x, (4, 5), (0, 0, 1, 1), how=T.Resize((4, 5)))
    assert (out.int() - T.Resize((4, 5))(x)[:, :, :1, :1].int()).abs().max() <= 1


def test_an_array_is_refused_with_what_to_do() -> None:
    picture = np.zeros((9, 12, 3), dtype=np.uint8)
    pipeline = T.Compose([T.Resize((4, 5))])
    with pytest.raises(TransformError, match=r"got ndarray: make a batch.*ToImage"):
        pipeline(picture)
    assert pipeline(T.ToImage()([picture])).shape == (1, 3, 4, 5)


def test_clips_of_several_sizes_are_refused() -> None:
    """They came out as a Ragged of frames, with a length that is no longer that of the batch."""
    clips = torch.zeros(3, 2, 3, 9, 12, dtype=torch.uint8)
    with pytest.raises(TransformError, match="sizes that differ"):
        T.RandomZoomOut(p=1.0)(clips, dk.Draws(0, 0, torch.arange(3)))
    one = T.RandomZoomOut(p=1.0)(clips[:1], dk.Draws(0, 0, torch.arange(1)))
    assert one.shape[:3] == (1, 2, 3)


def test_without_numba_the_torch_forms_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(
        "domainkit.vision.transforms.kernels.forms.find_spec", lambda name: None, raising=True
    )
    x = torch.zeros(2, 3, 20, 20, dtype=torch.uint8)
    for step in (T.RandomAffine(10), T.GaussianBlur(3), T.RandomAdjustSharpness(2.0, p=1.0)):
        assert step(x).shape == x.shape
    assert not numba_can(x)
