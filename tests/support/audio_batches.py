"""Waveforms and features of different lengths, and the one law of every batch transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["DEVICES", "assert_batch_invariant", "features", "waveforms"]

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
SEVEN = (4000, 1601, 4000, 799, 2400, 4000, 3333)


def waveforms(
    lengths: Sequence[int] = SEVEN, channels: int = 1, dtype: torch.dtype = torch.float32
) -> list[torch.Tensor]:
    """Noise [channels, T_i], of standard deviation 0.1."""
    generator = torch.Generator().manual_seed(0)
    return [0.1 * torch.randn(channels, n, generator=generator, dtype=dtype) for n in lengths]


def features(
    lengths: Sequence[int] = (40, 17, 40, 1, 25, 40, 33), bands: int = 12
) -> list[torch.Tensor]:
    """Noise [T_i, bands], of mean -3 and standard deviation 2."""
    generator = torch.Generator().manual_seed(0)
    return [2 * torch.randn(n, bands, generator=generator) - 3 for n in lengths]


def assert_batch_invariant(
    transform: Transform, items: Sequence[torch.Tensor], *, atol: float = 0.0, device: str = "cpu"
) -> None:
    """A sample gets the same result alone and in a batch, dense or ragged, on any device."""
    inner = items[0].ndim - 1 if items[0].shape[-1] == items[1].shape[-1] > 1 else 0
    inner = inner if any(item.shape[0] != items[0].shape[0] for item in items) else 0
    ids = torch.arange(100, 100 + len(items))

    def run(indices: Sequence[int], ragged: bool, device: str) -> list[torch.Tensor]:
        chosen = [items[i] for i in indices]
        x: Any = Ragged.from_list(chosen, inner=inner) if ragged else torch.stack(chosen)
        out = transform(x.to(device), Draws(seed=5, epoch=2, ids=ids[list(indices)]))
        varies = getattr(transform, "varies", False)  # new lengths are drawn
        assert isinstance(out, Ragged) == (ragged or varies) and len(out) == len(indices)
        return [item.cpu() for item in out]

    alone = [run([i], False, "cpu")[0] for i in range(len(items))]
    everything = list(range(len(items)))
    equal = [i for i in everything if items[i].shape == items[0].shape]
    assert 2 <= len(equal) < len(items), "give items of equal and of different lengths"
    for indices, ragged in (
        *(([i], True) for i in everything),
        (everything, True),
        (everything[::-1], True),
        (equal, True),
        (equal, False),
    ):
        for i, out in zip(indices, run(indices, ragged, device), strict=True):
            assert out.shape == alone[i].shape
            torch.testing.assert_close(out, alone[i], rtol=0, atol=atol)
