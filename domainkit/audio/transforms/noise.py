"""``RandomNoise``: real noise from a bank, or made noise, at a drawn signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import torch

from domainkit.audio.functional.noise import add_noise
from domainkit.audio.transforms._bank import as_bank
from domainkit.audio.transforms._base import (
    RandomWaveformTransform,
    check_probability,
    inside,
)
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["RandomNoise"]


@dataclass(frozen=True)
class RandomNoise(RandomWaveformTransform):
    """Add noise to each recording with probability p, its loudness and its place drawn.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    The ratio is that of the energies over all of a recording. All its channels hear the same noise,
    but for one that is silent throughout, which stays so. A piece of the bank begins at a drawn
    place and goes round when its end is reached.

    Args:
        min_snr_db, max_snr_db: the range of the signal-to-noise ratio, in decibels.
        noises: noise to choose from, at the recordings' rate: a ``Ragged`` of items [T_i], or a
            tensor [N, T]; None: Gaussian white noise, a stretch of a million numbers from a drawn
            place.
        p: how probable it is that a recording is changed at all, in [0, 1].

    Raises:
        TransformError: min_snr_db above max_snr_db, p outside [0, 1], an empty bank; another dtype
            or shape.

    Example:
        >>> from domainkit.ragged import Ragged
        >>> _ = torch.manual_seed(0)
        >>> bank = Ragged.from_list([torch.tensor([1.0, -1.0]), torch.ones(7)])
        >>> noisy = RandomNoise(20.0, 20.0, bank, p=1.0)(torch.ones(3, 1, 100))
        >>> ((noisy - 1).abs() * 1000).round().unique()
        tensor([100.])
    """

    min_snr_db: float = 5.0
    max_snr_db: float = 20.0
    noises: Any = field(default=None, compare=False, repr=False)
    p: float = 0.5

    numbers: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if not self.min_snr_db <= self.max_snr_db:
            raise TransformError(
                f"RandomNoise needs min_snr_db <= max_snr_db, got {self.min_snr_db} and "
                f"{self.max_snr_db}"
            )
        check_probability(self, self.p)
        if self.noises is not None:
            object.__setattr__(self, "noises", as_bank(self, "noises", self.noises))

    def change(
        self, x: torch.Tensor, lengths: torch.Tensor, u: torch.Tensor, draws: Draws
    ) -> torch.Tensor:
        snr = self.min_snr_db + (self.max_snr_db - self.min_snr_db) * u[:, 0]
        noise = self._noise(x, u, draws)[:, None].expand_as(x)
        # an item may lack channels that others have: silent ones stay so and do not count
        valid = inside(lengths, x.shape[2])[:, None] & (x != 0).any(2, keepdim=True)
        # one ratio for all channels: they are one long waveform here
        sound, noise = (torch.where(valid, v, 0).flatten(1) for v in (x, noise))
        return add_noise(sound, noise, snr.to(x.dtype)).view_as(x)

    def _noise(self, x: torch.Tensor, u: torch.Tensor, draws: Draws) -> torch.Tensor:
        """[R, T]"""
        rows, _, longest = x.shape
        if self.noises is None:
            table = _white(x.device)
            half = len(table) // 2
            while len(table) < half + longest:  # it goes round
                table = torch.cat([table, table])
            first = (u[:, 2].double() * half).long()
            return table.unfold(0, longest, 1)[first].to(x.dtype)
        bank = self.noises.to(x.device)
        # 24 random bits choose the piece; the place in it comes from 24 others
        which = (u[:, 1].double() * len(bank)).long()
        count = bank.lengths[which]
        first = (u[:, 2].double() * count).long()
        place = torch.arange(longest, device=x.device)
        index = (first[:, None] + place) % count[:, None] + bank.offsets[which][:, None]
        return bank.values[index.view(-1)].view(rows, longest).to(x.dtype)


@torch.compiler.assume_constant_result
def _white(device: torch.device) -> torch.Tensor:
    return _made_white(device)


@lru_cache(maxsize=4)
def _made_white(device: torch.device) -> torch.Tensor:
    """2^20 standard normal numbers, the same everywhere: drawing them anew takes 15 times as long
    as all the rest."""
    with torch.inference_mode(False):
        return Draws(0, 0, torch.arange(256)).normal(4096).flatten().to(device)
