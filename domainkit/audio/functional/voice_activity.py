"""``vad``: cut off what comes before the first speech, by the power of its cepstrum.

Method of SoX's effect of this name: the spectrum is smoothed, the noise in it is tracked and taken
away, and the cepstrum between two pitches tells speech. Arguments and numbers are torchaudio's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.audio.functional.recursion import lfilter
from domainkit.errors import TransformError

__all__ = ["VoiceActivity", "vad"]


@dataclass(frozen=True)
class VoiceActivity:
    """The arguments of ``vad``, for many recordings at once."""

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

    def __post_init__(self) -> None:
        if not self.measure_freq > 0:
            raise TransformError(f"vad: measure_freq is above 0, got {self.measure_freq}")
        if self._period < 1 or self._window < 1:
            raise TransformError(
                f"vad: measure_freq and measure_duration give windows of {self._window} samples "
                f"every {self._period} at {self.sample_rate} Hz: both must be at least 1"
            )
        low, high = self._bins
        first, last = self._quefrencies
        if high - low < 1 or last <= first:
            raise TransformError(
                f"vad: at {self.sample_rate} Hz no band is left between the filters "
                f"({self.hp_filter_freq:g}..{self.lp_filter_freq:g} Hz) and lifters "
                f"({self.hp_lifter_freq:g}..{self.lp_lifter_freq:g} Hz)"
            )

    def starts(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Where the speech of each recording begins, all channels of it heard as one event.

        Args:
            x: floating [B, C, T]. lengths: int64 [B].

        Returns:
            int64 [B]; a recording without speech begins at its own length.
        """
        with torch.no_grad():
            measures = self._measures(x.detach())  # [B, C, M]
            count = measures.shape[-1]
            if not count:
                return lengths.clone()
            number = torch.arange(count, device=x.device)
            ends = self._window + number * self._period
            heard = ends < lengths[:, None]  # [B, M]
            keep = self._decay(self.trigger_time)
            a = measures.new_tensor([1.0, -keep])
            b = measures.new_tensor([1.0 - keep, 0.0])
            loud = lfilter(measures, a, b, clamp=False) >= self.trigger_level
            at = loud.any(1) & heard
            found = at.any(1)
            first = at.int().argmax(1)
            # from the first channel that is heard on, all may put the start earlier
            channel = loud.gather(2, first.view(-1, 1, 1).expand(-1, loud.shape[1], 1))[..., 0]
            back = torch.where(channel.cummax(1).values, self._steps_back(measures, first), 0)
            steps = back.amax(1)
            kept = self._history * self._period + self._fixed + self._window
            flushed = (self._history - steps) * self._period
            start = (ends[first] - kept + flushed).clamp(min=0)
            return torch.where(found, start.minimum(lengths), lengths)

    @property
    def _window(self) -> int:
        duration = 2 / self.measure_freq if self.measure_duration is None else self.measure_duration
        return int(duration * self.sample_rate + 0.5)

    @property
    def _period(self) -> int:
        return int(self.sample_rate / self.measure_freq + 0.5)

    @property
    def _history(self) -> int:
        return int(self.search_time * self.measure_freq + 0.5)

    @property
    def _fixed(self) -> int:
        return int(self.pre_trigger_time * self.sample_rate + 0.5)

    @property
    def _transform(self) -> int:
        return max(16, 1 << (self._window - 1).bit_length())

    @property
    def _bins(self) -> tuple[int, int]:
        scale = self._transform / self.sample_rate
        low = max(1, int(self.hp_filter_freq * scale + 0.5))
        return low, min(self._transform // 2, int(self.lp_filter_freq * scale + 0.5))

    @property
    def _quefrencies(self) -> tuple[int, int]:
        first = math.ceil(self.sample_rate * 0.5 / self.lp_lifter_freq)
        last = math.floor(self.sample_rate * 0.5 / self.hp_lifter_freq)
        return first, min(last, self._transform // 4)

    def _decay(self, seconds: float) -> float:
        return math.exp(-1 / (seconds * self.measure_freq)) if seconds > 0 else 0.0

    def _measures(self, x: torch.Tensor) -> torch.Tensor:
        """How much each window [B, C, M] sounds like speech, 0 and above."""
        if x.shape[-1] < self._window:
            return x.new_zeros(*x.shape[:2], 0)
        windows = x.unfold(-1, self._window, self._period)
        hann = _hann(self._window, x) * (2 / math.sqrt(self._window))
        low, high = self._bins
        spectra = torch.fft.rfft(windows * hann, self._transform)[..., low:high].abs()
        clean = self._without_noise(spectra) * (_hann(high - low, x) * (2 / math.sqrt(high - low)))
        half = self._transform // 2
        placed = torch.nn.functional.pad(clean, (low, half - high))
        first, last = self._quefrencies
        cepstra = torch.fft.rfft(placed, half)[..., first:last].abs().square()
        power = cepstra.sum(-1) / (last - first)
        return (21 + power.log()).clamp(min=0)

    def _without_noise(self, spectra: torch.Tensor) -> torch.Tensor:
        """Smoothed magnitudes [B, C, M, bins] less what is there all the time."""
        boot = int(self.boot_time * self.measure_freq - 0.5)
        smooth, up, down = (
            self._decay(s)
            for s in (self.measure_smooth_time, self.noise_up_time, self.noise_down_time)
        )
        mean = torch.zeros_like(spectra[..., 0, :])
        noise = torch.zeros_like(mean)
        done = []
        for m in range(spectra.shape[2]):
            old = m / (1 + m) if m <= boot else smooth
            mean = mean * old + spectra[..., m, :] * (1 - old)
            power = mean.square()
            if m <= boot:  # the start is taken for noise
                noise = power
            else:
                slow = torch.where(power > noise, up, down).to(power.dtype)
                noise = noise * slow + power * (1 - slow)
            done.append((power - self.noise_reduction_amount * noise).clamp(min=0).sqrt())
        return torch.stack(done, 2)

    def _steps_back(self, measures: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        """Measures [B, C] from the one that triggered to where the speech began."""
        count = self._history
        gap = int(self.allowed_gap * self.measure_freq + 0.5)
        padded = torch.nn.functional.pad(measures, (count, 0))  # silence before the start
        speech = torch.full_like(measures[..., 0], count, dtype=torch.int64)
        begin = speech
        for j in range(count):
            at = (first + count - j).view(-1, 1, 1).expand(-1, measures.shape[1], 1)
            here = padded.gather(2, at)[..., 0]
            sounds = (here >= self.trigger_level) & (j <= speech + gap)
            silent = (here == 0) & (speech >= begin) & ~sounds
            speech = torch.where(sounds, j, speech)
            begin = torch.where(sounds | silent, j, begin)
        return begin


def vad(  # noqa: PLR0917  # torchaudio's arguments
    waveform: torch.Tensor,
    sample_rate: int,
    trigger_level: float = 7.0,
    trigger_time: float = 0.25,
    search_time: float = 1.0,
    allowed_gap: float = 0.25,
    pre_trigger_time: float = 0.0,
    boot_time: float = 0.35,
    noise_up_time: float = 0.1,
    noise_down_time: float = 0.01,
    noise_reduction_amount: float = 1.35,
    measure_freq: float = 20.0,
    measure_duration: float | None = None,
    measure_smooth_time: float = 0.4,
    hp_filter_freq: float = 50.0,
    lp_filter_freq: float = 6000.0,
    hp_lifter_freq: float = 150.0,
    lp_lifter_freq: float = 2000.0,
) -> torch.Tensor:
    """A recording from where speech begins; the end stays (flip it to cut there).

    Args:
        waveform: floating [T], or [C, T]: channels of one event, cut where the first one speaks.
            Other shapes count as channels too; ``domainkit.audio.transforms.Vad`` is for batches.
        sample_rate: Hz.
        trigger_level: how sure it must be: higher for noisy recordings.
        trigger_time: seconds over which measures are averaged, against short noises.
        search_time: seconds before the trigger in which the start may lie.
        allowed_gap: seconds of silence that may lie inside the start.
        pre_trigger_time: seconds kept before the start that was found.
        boot_time: seconds at the start that are taken for noise.
        noise_up_time, noise_down_time: seconds in which the noise is learnt when it rises, falls.
        noise_reduction_amount: how much of it is taken away.
        measure_freq: measures in a second.
        measure_duration: seconds of each; None: twice their distance.
        measure_smooth_time: seconds over which spectra are averaged.
        hp_filter_freq, lp_filter_freq: Hz, the band of the spectrum that is looked at.
        hp_lifter_freq, lp_lifter_freq: Hz, the pitches between which speech lies.

    Returns:
        [..., T'], empty without speech.

    Raises:
        TransformError: not a floating tensor; arguments that leave no band or no sample.

    Example:
        >>> vad(torch.zeros(1, 16000), 16000).shape
        torch.Size([1, 0])
    """
    check_floating("vad", waveform)
    given = VoiceActivity(
        sample_rate,
        trigger_level,
        trigger_time,
        search_time,
        allowed_gap,
        pre_trigger_time,
        boot_time,
        noise_up_time,
        noise_down_time,
        noise_reduction_amount,
        measure_freq,
        measure_duration,
        measure_smooth_time,
        hp_filter_freq,
        lp_filter_freq,
        hp_lifter_freq,
        lp_lifter_freq,
    )
    length = waveform.shape[-1]
    lengths = torch.tensor([length], device=waveform.device)
    start = given.starts(waveform.reshape(1, -1, length), lengths)
    return waveform[..., int(start) :]


def _hann(size: int, like: torch.Tensor) -> torch.Tensor:
    return torch.hann_window(size, dtype=like.dtype, device=like.device)
