"""``Effects``: a chain of effects, written as for SoX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.audio.transforms._base import inside
from domainkit.audio.transforms._dense import waveforms_from_dense, waveforms_to_dense
from domainkit.audio.transforms._effect_steps import Step
from domainkit.audio.transforms._effect_table import KNOWN, step_of
from domainkit.audio.transforms.checks import check_waveforms
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["Effects"]


@dataclass(frozen=True)
class Effects(Transform):
    """Effects one after the other, each written as a list of words, as for SoX.

    Known are allpass, band, bandpass, bandreject, bass, contrast, dcshift, equalizer, fade,
    flanger, gain, highpass, lowpass, norm, overdrive, pad, phaser, rate, reverse, speed, treble,
    trim and vol. Words, units and defaults are those of SoX's manual; the numbers are those of the
    functions of ``domainkit.audio.functional`` (and so torchaudio's), with these notes:

    - Filters are of second order, and cut to [-1, 1] as torchaudio's are; so does ``vol``.
    - ``gain -n`` and ``norm`` lift the peak of a recording to full scale or so many decibels.
    - ``speed`` leaves the sample rate as it is: fewer or more samples come out. ``rate`` changes it
      for what follows, without aliases; with ``-q`` or ``-l`` by torchaudio's short filter.
    - ``fade`` runs from its first sample, silent, to its last, whole (torchaudio's ``Fade``);
      ``l``, SoX's usual one, begins at -100 dB. ``trim`` has one piece, ``pad`` the two ends.
    - Times are seconds ("1.5", "1:02.5") or samples ("8000s"); frequencies "440" or "3k".

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Output: the same kind, of new lengths where an effect changes them.

    Args:
        effects: lists of words (numbers may be numbers).
        sample_rate: of the recordings, in Hz.

    Raises:
        TransformError: an effect that is not known, a wrong number of words or one that means
            nothing there, a value outside the range of its function; another dtype or shape.

    Example:
        >>> chain = Effects.from_sox([["gain", "-6"], ["trim", "0", "0.5"], ["rate", "8k"]], 16000)
        >>> chain(torch.ones(2, 1, 16000)).shape, chain.new_sample_rate
        (torch.Size([2, 1, 4000]), 8000)
    """

    effects: Sequence[Sequence[Any]]
    sample_rate: int

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"

    def __post_init__(self) -> None:
        if isinstance(self.effects, str) or any(isinstance(e, str) or not e for e in self.effects):
            raise TransformError(
                "Effects takes a list of lists of words such as "
                f'[["gain", "-3"], ["lowpass", "3k"]], got {self.effects!r:.200}'
            )
        if not isinstance(self.sample_rate, int) or self.sample_rate < 1:
            raise TransformError(
                f"Effects: sample_rate is a whole number of Hz, got {self.sample_rate!r}"
            )
        said = tuple(tuple(str(word) for word in effect) for effect in self.effects)
        object.__setattr__(self, "effects", said)
        steps, rate = [], self.sample_rate
        for effect in said:
            step, rate = step_of(effect, rate)
            step(torch.zeros(1, 1, 8), np.array([8]))  # says what is out of its range
            steps.append(step)
        object.__setattr__(self, "_steps", tuple(steps))
        object.__setattr__(self, "_rate", rate)

    @classmethod
    def from_sox(cls, effects: Sequence[Sequence[Any]], sample_rate: int) -> Effects:
        """The chain of a list such as torchaudio's ``apply_effects_tensor`` took."""
        return cls(effects, sample_rate)

    @classmethod
    def known(cls) -> tuple[str, ...]:
        """The names of all effects."""
        return KNOWN

    @property
    def new_sample_rate(self) -> int:
        """Hz, of what comes out."""
        rate: int = self._rate  # type: ignore[attr-defined]
        return rate

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        steps: tuple[Step, ...] = self._steps  # type: ignore[attr-defined]
        if not isinstance(x, Ragged):
            lengths = np.full(len(x), x.shape[2], dtype=np.int64)
            for step in steps:
                x, lengths = step(x, lengths)
            return x
        y, (channels, lengths) = waveforms_to_dense(x), x.host_shapes.T
        for step in steps:
            y, lengths = step(y, lengths)
            y = _silent_outside(y, channels, lengths)
        return waveforms_from_dense(y, np.stack([channels, lengths], axis=1))


def _silent_outside(x: torch.Tensor, channels: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
    """Zeros behind each end and in channels that an item lacks."""
    x = x[..., : int(lengths.max(initial=0))]
    if (lengths == x.shape[2]).all() and (channels == x.shape[1]).all():
        return x
    own, before = (
        torch.from_numpy(np.ascontiguousarray(n)).to(x.device) for n in (channels, lengths)
    )
    kept = inside(own, x.shape[1])[..., None] & inside(before, x.shape[2])[:, None]
    return torch.where(kept, x, 0)
