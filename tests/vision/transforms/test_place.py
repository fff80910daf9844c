"""Where geometry transforms say that pixels come from is where they come from."""

from __future__ import annotations

import pytest
import torch

from domainkit.draws import Draws
from domainkit.vision import transforms as T

CASES = [
    T.Resize(12),
    T.Resize((31, 9)),
    T.CenterCrop(9),
    T.CenterCrop((8, 30)),
    T.RandomCrop(7),
    T.RandomCrop((16, 20), padding=(3, 1, 2, 5)),
    T.RandomResizedCrop((10, 12)),
    T.Pad((1, 2, 3, 4)),
    T.RandomHorizontalFlip(0.5),
]


def coordinates(height: int, width: int) -> torch.Tensor:
    """A picture whose two channels hold x and y of the middle of each pixel."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y])


@pytest.mark.parametrize("size", [(17, 22), (20, 19)])
@pytest.mark.parametrize("op", CASES, ids=repr)
def test_pixels_come_from_where_place_says(op, size):
    draws = Draws(seed=3, epoch=1, ids=torch.arange(16))
    x = coordinates(*size).expand(16, -1, -1, -1)
    out = op(x, draws)
    sizes = torch.tensor(size).expand(16, 2)
    placed = op.place(sizes, draws)
    assert placed.window
    assert placed.source.tolist() == sizes.tolist()
    assert placed.sizes.tolist() == [list(out.shape[2:])] * 16
    points = torch.cat([coordinates(*out.shape[2:]), torch.ones(1, *out.shape[2:])])
    expected = torch.einsum("bij,jhw->bihw", placed.matrix, points.double())[:, :2]
    # of a picture that is a straight line, filters give the line itself but near the borders
    inside = torch.ones(16, *out.shape[2:], dtype=torch.bool)
    for axis, end in ((0, size[1]), (1, size[0])):
        near = 0 if isinstance(op, (T.CenterCrop, T.RandomCrop, T.Pad)) else 3
        inside &= (expected[:, axis] > near) & (expected[:, axis] < end - near)
    assert inside.any()
    wrong = ((out - expected).abs() * inside[:, None]).max()
    # a widened filter's weights are not quite even, and RandomResizedCrop's window has its own
    # borders
    limit = {T.Resize: 0.1, T.RandomResizedCrop: 1.5}.get(type(op), 1e-4)
    assert float(wrong) < limit


@pytest.mark.parametrize("op", CASES, ids=repr)
def test_an_empty_batch_has_places(op):
    draws = Draws(seed=3, epoch=1, ids=torch.arange(0))
    placed = op.place(torch.zeros(0, 2, dtype=torch.int64), draws)
    assert placed.matrix.shape == (0, 3, 3)
