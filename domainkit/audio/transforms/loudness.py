"""``Loudness`` and ``NormalizeLoudness``: by ITU-R BS.1770-4 and EBU R 128."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.audio.functional.program_loudness import loudness_r128
from domainkit.audio.transforms._base import Result, WaveformTransform
from domainkit.audio.transforms._dense import waveforms_to_dense
from domainkit.audio.transforms.checks import check_waveforms
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform, replace_fields

__all__ = ["Loudness", "NormalizeLoudness"]


@dataclass(frozen=True)
class Loudness(Transform):
    """How loud each recording is, gated and weighted as broadcasters measure it.

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Output: LUFS [B], -inf for silence; of a batch with fields, the new field "loudness".
    See ``domainkit.audio.functional.loudness_r128``; torchaudio's own numbers, from filters that
    are only near the standard's, are those of ``domainkit.audio.functional.loudness``.

    Args:
        sample_rate: of the recordings, in Hz.

    Raises:
        TransformError: another dtype or shape, more than 6 channels.

    Example:
        >>> tone = torch.sin(torch.arange(48000) * (2 * torch.pi * 997 / 48000))
        >>> Loudness(48000)(tone[None, None]).round(decimals=2)
        tensor([-3.0100])
    """

    sample_rate: int

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        if isinstance(x, Ragged):
            return loudness_r128(waveforms_to_dense(x), self.sample_rate, x.lengths)
        return loudness_r128(x, self.sample_rate)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        return replace_fields(batch, {"loudness": self.apply(batch[self.field], draws)})


@dataclass(frozen=True)
class NormalizeLoudness(WaveformTransform):
    """Bring each recording to one loudness. Silence stays silence.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Nothing is clipped.

    Args:
        sample_rate: of the recordings, in Hz.
        target: LUFS; -23 is EBU R 128's.
        max_peak_db: no sample gets louder than this many decibels of full scale, though the
            recording then stays softer than ``target``; None: no limit.

    Raises:
        TransformError: another dtype or shape, more than 6 channels.

    Example:
        >>> tone = torch.sin(torch.arange(48000) * (2 * torch.pi * 997 / 48000))[None, None]
        >>> Loudness(48000)(NormalizeLoudness(48000, target=-20.0)(tone)).round(decimals=3)
        tensor([-20.])
    """

    sample_rate: int
    target: float = -23.0
    max_peak_db: float | None = None

    def __post_init__(self) -> None:
        if not -200 <= self.target <= 20:
            raise TransformError(
                f"NormalizeLoudness: target is in -200..20 LUFS, got {self.target}"
            )

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        if not x.numel():
            return x
        loud = loudness_r128(x, self.sample_rate, torch.from_numpy(lengths).to(x.device))
        factor = torch.where(loud.isinf(), 1, torch.pow(10.0, (self.target - loud) / 20))
        if self.max_peak_db is not None:
            most = 10 ** (self.max_peak_db / 20)
            peak = x.abs().amax((1, 2)).clamp(min=torch.finfo(x.dtype).tiny)
            factor = factor.minimum(most / peak)
        return x * factor[:, None, None]
