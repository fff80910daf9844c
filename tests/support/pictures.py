"""Pictures and checks that the tests of vision transforms share."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import sklearn.datasets
import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.transform import Transform
from domainkit.vision.codec import decode_image

__all__ = [
    "check_alone_or_together",
    "needs_cuda",
    "photo_files",
    "photos",
    "to_dtype",
    "varied",
]

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@functools.cache
def photo_files() -> tuple[Path, Path]:
    """Two real photographs, 640 x 427 JPEGs that come with scikit-learn."""
    folder = Path(sklearn.datasets.__file__).parent / "images"
    return folder / "china.jpg", folder / "flower.jpg"


@functools.cache
def _decoded(mode: str) -> torch.Tensor:
    return torch.stack([decode_image(path.read_bytes(), mode) for path in photo_files()])


def photos(count: int = 2, channels: int = 3, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    """[count, channels, 96, 120]: cuttings of the photographs at half size, none like another."""
    whole = _decoded("RGB" if channels == 3 else "L")[:, :, ::2, ::2]
    cuts = [whole[i % 2, :, 11 * i % 110 :, 23 * i % 190 :][:, :96, :120] for i in range(count)]
    return to_dtype(torch.stack(cuts), dtype)


def varied(count: int = 7, channels: int = 3, dtype: torch.dtype = torch.uint8) -> Ragged:
    """Cuttings of the photographs, each of another size."""
    whole = _decoded("RGB" if channels == 3 else "L")
    cuts = [whole[i % 2, :, 9 * i : 140 + 2 * i, 5 * i : 90 + 19 * i] for i in range(count)]
    return Ragged.from_list([to_dtype(cut.contiguous(), dtype) for cut in cuts])


def to_dtype(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """uint8 as it is; floating in 0..1."""
    return x if dtype == torch.uint8 else (x.to(torch.float64) / 255).to(dtype)


def check_alone_or_together(op: Transform, x: torch.Tensor | Ragged) -> None:
    """The same bits for every sample alone, in the whole batch, dense and ``Ragged``."""
    ids = torch.arange(len(x)) * 1001 + 5
    draws = Draws(seed=11, epoch=2, ids=ids)
    whole = op(x, draws)
    forms: list[Any] = [x]
    if isinstance(x, torch.Tensor):
        forms.append(Ragged.from_list(list(x)))
    for form in forms:
        for i in range(len(x)):
            alone = op(form[i : i + 1], Draws(seed=11, epoch=2, ids=ids[i : i + 1]))
            assert torch.equal(alone[0], whole[i]), f"sample {i} differs alone"
        part = op(form[2:5], Draws(seed=11, epoch=2, ids=ids[2:5]))
        assert all(torch.equal(part[i], whole[2 + i]) for i in range(3))
        again = op(form, draws)
        assert all(torch.equal(a, b) for a, b in zip(again, whole, strict=True))
