"""``Speed``, ``SpeedPerturbation`` and ``RandomSpeed``: faster or slower, as a tape is.

The pitch goes with the speed (T. Ko et al., "Audio augmentation for speech recognition",
INTERSPEECH 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from domainkit.audio.functional.resampling import speed
from domainkit.audio.functional.varispeed import vary_speed
from domainkit.audio.transforms._base import Result, WaveformTransform, check_probability
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["RandomSpeed", "Speed", "SpeedPerturbation"]


@dataclass(frozen=True)
class Speed(WaveformTransform):
    """Every recording ``factor`` times as fast; see ``domainkit.audio.functional.speed``.

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Output: the same with ceil(T / factor) samples.

    Args:
        orig_freq: samples a second, a whole number.
        factor: above 0; 2 is twice as fast.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> Speed(1000, 1.25)(torch.ones(1, 1, 1000)).shape
        torch.Size([1, 1, 800])
    """

    orig_freq: int
    factor: float

    def __post_init__(self) -> None:
        speed(torch.zeros(0), self.orig_freq, self.factor)  # says what is wrong

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        y, after = speed(x, self.orig_freq, self.factor, torch.from_numpy(lengths))
        assert after is not None
        return y, after.numpy()


@dataclass(frozen=True)
class SpeedPerturbation(WaveformTransform):
    """Each recording at a speed of its own, drawn from a list.

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Output: ``Ragged`` items [C, ceil(T_i / factor_i)].

    Args:
        factors: speeds in [1/8, 8], each as probable as the others.

    Raises:
        TransformError: no factors, or one outside its range; another dtype or shape.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> SpeedPerturbation((0.9, 1.0, 1.1))(torch.ones(50, 1, 990)).lengths.unique().tolist()
        [900, 990, 1100]
    """

    factors: Sequence[float]

    random: ClassVar[bool] = True
    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.factors:
            raise TransformError("SpeedPerturbation needs at least one factor")
        _check_factors("SpeedPerturbation", *self.factors)

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        picked = draws.integers(1, 0, len(self.factors), device="cpu")[:, 0]
        return _at(x, torch.tensor(self.factors, dtype=torch.float64)[picked], lengths)


@dataclass(frozen=True)
class RandomSpeed(WaveformTransform):
    """Each recording, with probability p, at a speed of its own, drawn uniformly.

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Output: ``Ragged`` items [C, ceil(T_i / factor_i)].

    Args:
        min_factor, max_factor: the range of the draw, within [1/8, 8].
        p: how probable it is that a recording is changed at all, in [0, 1].

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> lengths = RandomSpeed(0.5, 2.0, p=1.0)(torch.ones(9, 1, 1000)).lengths
        >>> bool((lengths >= 500).all() and (lengths <= 2000).all())
        True
    """

    min_factor: float = 0.9
    max_factor: float = 1.1
    p: float = 0.5

    random: ClassVar[bool] = True
    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_factors("RandomSpeed", self.min_factor, self.max_factor)
        if self.min_factor > self.max_factor:
            raise TransformError(
                f"RandomSpeed needs min_factor <= max_factor, got {self.min_factor} and "
                f"{self.max_factor}"
            )
        check_probability(self, self.p)

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        chance, where = draws.uniform(2, device="cpu").double().unbind(1)
        factor = self.min_factor + (self.max_factor - self.min_factor) * where
        return _at(x, torch.where(chance < self.p, factor, 1.0), lengths)


def _at(x: torch.Tensor, factor: torch.Tensor, lengths: np.ndarray) -> Result:
    same = factor == 1
    if same.all():
        return x, lengths
    y, after = vary_speed(x, factor, torch.from_numpy(lengths))
    if x.shape[2] < y.shape[2]:
        x = torch.nn.functional.pad(x, (0, y.shape[2] - x.shape[2]))
    # a recording that is not changed keeps its samples bit by bit
    return torch.where(same.to(x.device)[:, None, None], x[..., : y.shape[2]], y), after.numpy()


def _check_factors(name: str, *factors: float) -> None:
    for factor in factors:
        if not 1 / 8 <= factor <= 8:
            raise TransformError(f"{name}: a factor lies in [1/8, 8], got {factor}")
