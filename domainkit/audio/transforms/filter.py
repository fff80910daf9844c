"""``RandomFilter``: another microphone, a wall, a telephone: a filter of its own for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.audio.functional.recursion import lfilter
from domainkit.audio.transforms._base import RandomWaveformTransform, check_probability
from domainkit.audio.transforms._cookbook import KINDS, coefficients
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["RandomFilter"]


@dataclass(frozen=True)
class RandomFilter(RandomWaveformTransform):
    """Filter each recording, with probability p, by a filter of second order of its own.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Nothing is clipped. All recordings of a batch are filtered in one pass.

    Args:
        sample_rate: of the recordings, in Hz.
        kinds: of which one is drawn for each: "lowpass", "highpass", "bandpass", "bandstop",
            "peak", "lowshelf", "highshelf".
        min_hz, max_hz: the range of the frequency, drawn evenly over octaves; max_hz None takes
            nine tenths of half the sample rate.
        min_q, max_q: the range of the Q factor, drawn evenly over octaves.
        min_db, max_db: the range of the gain of peaks and shelves, in decibels.
        p: how probable it is that a recording is changed at all, in [0, 1].

    Source of the designs: R. Bristow-Johnson's cookbook, as in ``domainkit.audio.functional``.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> hum = torch.sin(2 * torch.pi * 50 * torch.arange(4000) / 8000)[None, None]
        >>> out = RandomFilter(8000, ("highpass",), min_hz=2000, max_hz=3000, p=1.0)(hum)
        >>> bool(out[..., 1000:].abs().max() < 0.01)
        True
    """

    sample_rate: int
    kinds: Sequence[str] = KINDS
    min_hz: float = 100.0
    max_hz: float | None = None
    min_q: float = 0.5
    max_q: float = 2.0
    min_db: float = -12.0
    max_db: float = 12.0
    p: float = 0.5

    numbers: ClassVar[int] = 4

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in KINDS:
                raise TransformError(f"RandomFilter: kinds are of {', '.join(KINDS)}; got {kind!r}")
        if not self.kinds or isinstance(self.kinds, str):
            raise TransformError(f"RandomFilter needs a list of kinds, got {self.kinds!r}")
        if not 0 < self.min_hz <= self._max_hz < self.sample_rate / 2:
            raise TransformError(
                f"RandomFilter needs 0 < min_hz <= max_hz < sample_rate / 2 = "
                f"{self.sample_rate / 2:g}, got {self.min_hz} and {self._max_hz}"
            )
        if not 0 < self.min_q <= self.max_q or not self.min_db <= self.max_db:
            raise TransformError(
                "RandomFilter needs 0 < min_q <= max_q and min_db <= max_db, got "
                f"{self.min_q}, {self.max_q}, {self.min_db}, {self.max_db}"
            )
        check_probability(self, self.p)

    @property
    def _max_hz(self) -> float:
        return 0.45 * self.sample_rate if self.max_hz is None else self.max_hz

    def change(
        self, x: torch.Tensor, lengths: torch.Tensor, u: torch.Tensor, draws: Draws
    ) -> torch.Tensor:
        u = u.double()
        kinds = torch.tensor([KINDS.index(kind) for kind in self.kinds], device=x.device)
        b, a = coefficients(
            kinds[(u[:, 0] * len(kinds)).long()],
            self.min_hz * torch.exp(math.log(self._max_hz / self.min_hz) * u[:, 1]),
            self.min_q * torch.exp(math.log(self.max_q / self.min_q) * u[:, 2]),
            self.min_db + (self.max_db - self.min_db) * u[:, 3],
            self.sample_rate,
        )
        return lfilter(x.transpose(0, 1), a, b, clamp=False).transpose(0, 1)
