"""``Vad`` and ``TrimSilence``: recordings without what comes before and behind the sound.

New lengths depend on what is heard, so a batch on a GPU is waited for once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from domainkit.audio.functional.voice_activity import VoiceActivity
from domainkit.audio.transforms._base import Result, WaveformTransform, inside
from domainkit.audio.transforms._moving import taken_from
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["TrimSilence", "Vad"]


@dataclass(frozen=True)
class Vad(WaveformTransform):
    """Each recording from where its speech begins; see ``domainkit.audio.functional.vad``.

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i]; all channels
    of one are the same event.
    Output: ``Ragged`` items [C, T_i'], empty ones without speech.

    Args:
        sample_rate: of the recordings, in Hz.
        trim_end: cut what comes after the speech too, by hearing the recording backwards.
        trigger_level ... lp_lifter_freq: of ``domainkit.audio.functional.vad``.

    Raises:
        TransformError: arguments that leave no band; another dtype or shape.

    Example:
        >>> Vad(16000)(torch.zeros(2, 1, 16000))
        Ragged(B=2, items=[1, 0], dtype=float32, device=cpu)
    """

    sample_rate: int
    trigger_level: float = 7.0
    trigger_time: float = 0.25
    search_time: float = 1.0
    allowed_gap: float = 0.25
    pre_trigger_time: float = 0.0
    boot_time: float = 0.35
    noise_up_time: float = 0.1
    noise_down_time: float = 0.01
    noise_reduction_amount: float = 1.35
    measure_freq: float = 20.0
    measure_duration: float | None = None
    measure_smooth_time: float = 0.4
    hp_filter_freq: float = 50.0
    lp_filter_freq: float = 6000.0
    hp_lifter_freq: float = 150.0
    lp_lifter_freq: float = 2000.0
    trim_end: bool = False

    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._detector()

    def _detector(self) -> VoiceActivity:
        given = {name: getattr(self, name) for name in VoiceActivity.__dataclass_fields__}
        return VoiceActivity(**given)

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        detector, count = self._detector(), torch.from_numpy(lengths).to(x.device)
        first = detector.starts(x, count)
        y, _ = taken_from(x, first, np.full_like(lengths, x.shape[2]))
        left = count - first
        if self.trim_end:
            left = left - detector.starts(flipped(y, left), left)
        return y, left.cpu().numpy()


@dataclass(frozen=True)
class TrimSilence(WaveformTransform):
    """Cut off the start and the end where a recording is ``top_db`` below its loudest moment.

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Output: ``Ragged`` items [C, T_i']. Numbers are those of ``librosa.effects.trim``; a recording
    that is silent throughout stays whole.

    Args:
        top_db: decibels.
        frame_length, hop_length: samples of a moment, and from one to the next.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> x = torch.zeros(1, 1, 16000)
        >>> x[..., 8000:9000] = 1
        >>> TrimSilence(frame_length=400, hop_length=100)(x)[0].shape
        torch.Size([1, 1300])
    """

    top_db: float = 60.0
    frame_length: int = 2048
    hop_length: int = 512

    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.top_db > 0 or self.hop_length < 1 or self.frame_length < 2:
            raise TransformError(
                "TrimSilence needs top_db > 0, hop_length >= 1 and frame_length >= 2, got "
                f"{self.top_db}, {self.hop_length} and {self.frame_length}"
            )

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        if not x.numel():
            return x, lengths
        count = torch.from_numpy(lengths).to(x.device)
        half = self.frame_length // 2
        padded = torch.nn.functional.pad(x, (half, half + self.hop_length))
        power = padded.unfold(-1, self.frame_length, self.hop_length).square().mean(-1)
        power = power.clamp(min=1e-10).amax(1)  # [B, F], of the loudest channel
        moments = torch.arange(power.shape[1], device=x.device)
        heard = moments <= (count // self.hop_length)[:, None]
        power = torch.where(heard, power, 0)
        loudest = power.amax(1, keepdim=True)
        loud = heard & (10 * (power / loudest).log10() > -self.top_db)
        first = loud.int().argmax(1)
        last = power.shape[1] - 1 - loud.flip(1).int().argmax(1)
        start = (first * self.hop_length).minimum(count)
        stop = ((last + 1) * self.hop_length).minimum(count)
        return taken_from(x, start, (stop - start).cpu().numpy())


def flipped(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """[B, C, T] with each recording backwards, its end in the place of its start."""
    places = lengths[:, None] - 1 - torch.arange(x.shape[-1], device=x.device)
    at = places.clamp(min=0)[:, None].expand_as(x)
    return torch.where(inside(lengths, x.shape[-1])[:, None], x.gather(-1, at), 0)
