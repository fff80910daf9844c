"""Frames, windows and power spectra as Kaldi makes them; ``kaldi`` turns them into features.

Source: D. Povey et al., "The Kaldi speech recognition toolkit" (ASRU 2011). A frame loses its mean,
is pre-emphasised within itself, windowed, and filled up with zeros for the Fourier transform.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.errors import TransformError

__all__ = ["EPSILON", "WINDOWS", "Framing", "analyse", "frame_counts"]

EPSILON = 2.0**-23  # what Kaldi and torchaudio keep powers above: the step of float32 at 1
WINDOWS = ("blackman", "hamming", "hanning", "povey", "rectangular")
BLOCK = 1 << 18  # numbers of framed signal at a time on a CPU: 1 MiB of float32 stays in its cache

Finish = Callable[[torch.Tensor, "torch.Tensor | None"], torch.Tensor]


@dataclass(frozen=True)
class Framing:
    """The arguments that all of Kaldi's features share, under torchaudio's names, checked."""

    op: str
    blackman_coeff: float
    dither: float
    energy_floor: float
    frame_length: float
    frame_shift: float
    min_duration: float
    preemphasis_coefficient: float
    raw_energy: bool
    remove_dc_offset: bool
    round_to_power_of_two: bool
    sample_frequency: float
    snip_edges: bool
    window_type: str

    def __post_init__(self) -> None:
        if not (self.sample_frequency > 0 and self.shift >= 1 and self.size >= 2):
            raise TransformError(
                f"{self.op} needs frames of 2 samples, 1 sample apart, or more, got "
                f"frame_length={self.frame_length:g} ms and frame_shift={self.frame_shift:g} ms "
                f"at {self.sample_frequency:g} Hz"
            )
        if self.padded % 2:
            raise TransformError(
                f"{self.op} needs an even number of samples a frame, got {self.padded}: use "
                "round_to_power_of_two=True or another frame_length"
            )
        if not 0.0 <= self.preemphasis_coefficient <= 1.0:
            raise TransformError(
                f"{self.op}: preemphasis_coefficient is in [0, 1], got "
                f"{self.preemphasis_coefficient}"
            )
        if self.window_type not in WINDOWS:
            raise TransformError(
                f"{self.op}: window_type is one of {', '.join(WINDOWS)}, got {self.window_type!r}"
            )
        for name in ("dither", "energy_floor", "min_duration"):
            if getattr(self, name) < 0:
                raise TransformError(f"{self.op}: {name} is >= 0, got {getattr(self, name)}")

    @property
    def size(self) -> int:
        """Samples in a frame."""
        return int(self.sample_frequency * self.frame_length * 0.001)

    @property
    def shift(self) -> int:
        """Samples from one frame to the next."""
        return int(self.sample_frequency * self.frame_shift * 0.001)

    @property
    def padded(self) -> int:
        """Length of the Fourier transform."""
        return 1 << (self.size - 1).bit_length() if self.round_to_power_of_two else self.size

    @property
    def starts_at_zero(self) -> bool:
        """Whether the window does."""
        kind = self.window_type
        return kind in ("hanning", "povey") or (
            kind == "blackman" and abs(self.blackman_coeff - 0.42) < 1e-9
        )

    def counts(self, lengths: torch.Tensor) -> torch.Tensor:
        """Frames of waveforms of ``lengths`` samples, int64."""
        counts = frame_counts(lengths, self.size, self.shift, self.snip_edges)
        return counts * (lengths >= self.min_duration * self.sample_frequency)

    def most(self, length: int) -> int:
        """Frames of ``length`` samples; of no tensor, which would end a graph."""
        if length < self.min_duration * self.sample_frequency:
            return 0
        if self.snip_edges:
            return max(0, (length - self.size + self.shift) // self.shift)
        return (length + self.shift // 2) // self.shift


def frame_counts(lengths: torch.Tensor, size: int, shift: int, snip_edges: bool) -> torch.Tensor:
    """With ``snip_edges`` the frames that lie inside, else one for each ``shift`` samples."""
    if snip_edges:
        return torch.div(lengths - size + shift, shift, rounding_mode="floor").clamp(min=0)
    return torch.div(lengths + shift // 2, shift, rounding_mode="floor")


def analyse(
    framing: Framing,
    waveform: torch.Tensor,
    lengths: torch.Tensor | None,
    finish: Finish,
    *,
    energy: bool,
    subtract_mean: bool,
) -> torch.Tensor:
    """Features of all frames.

    Args:
        framing: how frames are made.
        waveform: floating [..., T].
        lengths: int64 [...], or None.
        finish: turns power spectra [N, padded // 2 + 1] and log energies ([N, 1], or None unless
            ``energy``) into features [N, M].
        subtract_mean: take away a waveform's mean over its frames.

    Returns:
        [..., F, M], zeros behind a waveform's own frames.
    """
    check_floating(framing.op, waveform)
    ends = _ends(framing, waveform, lengths)
    counts = framing.counts(ends)
    rows = waveform.reshape(len(ends), waveform.shape[-1])
    most = framing.most(rows.shape[1])
    if rows.numel() == 0 or most == 0:
        nothing = finish(rows.new_ones(0, framing.padded // 2 + 1), rows.new_ones(0, 1))
        return rows.new_zeros(*waveform.shape[:-1], most, nothing.shape[1])
    if not framing.snip_edges:
        rows = _mirrored(rows, ends, framing, most)
    flat = [finish(*block) for block in _blocks(framing, rows, most, energy)]
    features = (torch.cat(flat) if len(flat) > 1 else flat[0]).view(len(rows), most, -1)
    inside = None
    if lengths is not None:
        inside = (torch.arange(most, device=counts.device) < counts[:, None])[..., None]
        features = torch.where(inside, features, 0)
    if subtract_mean:
        mean = features.sum(1, keepdim=True) / counts.clamp(min=1).view(-1, 1, 1)
        features = features - mean if inside is None else features - torch.where(inside, mean, 0)
    return features.reshape(*waveform.shape[:-1], most, -1)


def _ends(framing: Framing, waveform: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """How many samples of each row count, int64 [R]."""
    length, shape = waveform.shape[-1], waveform.shape[:-1]
    if lengths is None:
        return torch.full((math.prod(shape),), length, device=waveform.device)
    if lengths.shape != shape or lengths.dtype not in (torch.int32, torch.int64):
        raise TransformError(
            f"{framing.op}: lengths has one whole number per waveform, {tuple(shape)}, got "
            f"{str(lengths.dtype).removeprefix('torch.')} {tuple(lengths.shape)}"
        )
    return lengths.to(waveform.device, torch.int64).reshape(-1).clamp(0, length)


def _mirrored(rows: torch.Tensor, ends: torch.Tensor, framing: Framing, most: int) -> torch.Tensor:
    """Rows with their mirror images around them, so that frame f is centred on f + 1/2 shifts.

    A mirrored row has the period 2 n: sample -1 is sample 0 again, sample n is sample n - 1.
    """
    first = framing.shift // 2 - framing.size // 2
    place = torch.arange(first, first + (most - 1) * framing.shift + framing.size)
    period = 2 * ends.clamp(min=1)[:, None]
    place = place.to(rows.device) % period
    return rows.gather(1, torch.minimum(place, period - 1 - place))


def _blocks(
    framing: Framing, rows: torch.Tensor, most: int, energy: bool
) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
    """Power spectra and log energies of the frames [R, F] in order, some at a time."""
    size, shift, fade = framing.size, framing.shift, framing.preemphasis_coefficient
    window = _window(framing.window_type, size, framing.blackman_coeff, rows.device, rows.dtype)
    # A frame's first sample is pre-emphasised by itself, as no other is before it. Where the window
    # starts with zero that does not show, and a stretch of signal is pre-emphasised once.
    once = framing.dither == 0 and framing.starts_at_zero
    for r, f in _pieces(rows, most, size):
        signal = rows[r, f.start * shift : (f.stop - 1) * shift + size]
        part = signal.unfold(-1, size, shift)
        if framing.dither:
            part = part + framing.dither * torch.randn_like(part)
        means = part.mean(-1, keepdim=True) if framing.remove_dc_offset else None
        if once:
            x = _less_the_one_before(signal, fade).unfold(-1, size, shift)
        else:
            x = _less_the_one_before(part, fade)
        x = x * window if means is None else (x - (1 - fade) * means) * window
        log_energy = None
        if energy:
            raw = part if means is None else part - means
            log_energy = _log_energy(raw if framing.raw_energy else x, framing.energy_floor)
        spectrum = torch.fft.rfft(x.reshape(-1, size), n=framing.padded)
        yield torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag), log_energy


def _pieces(rows: torch.Tensor, most: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Slices of the rows and of their frames, in order; on a CPU about ``BLOCK`` numbers each."""
    few = max(1, BLOCK // size) if rows.device.type == "cpu" else len(rows) * most
    step = max(1, few // most)  # whole rows, or parts of one
    for r in range(0, len(rows), step):
        for f in range(0, most, few if step == 1 else most):
            yield slice(r, r + step), slice(f, min(most, f + few) if step == 1 else most)


def _less_the_one_before(x: torch.Tensor, fade: float) -> torch.Tensor:
    """x[t] - fade x[t - 1]; the first one less itself."""
    return torch.sub(x, torch.cat([x[..., :1], x[..., :-1]], -1), alpha=fade)


def _log_energy(frames: torch.Tensor, floor: float) -> torch.Tensor:
    """[..., size] -> [N, 1]."""
    least = max(EPSILON, floor)
    return frames.square().sum(-1).reshape(-1, 1).clamp(min=least).log()


@torch.compiler.assume_constant_result
def _window(
    kind: str, size: int, blackman_coeff: float, device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    """[size], symmetric; povey's is a Hann window to the power .85, which starts at 0 too."""
    return _made_window(kind, size, blackman_coeff, device, dtype)


@lru_cache(maxsize=32)
def _made_window(
    kind: str, size: int, blackman_coeff: float, device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    with torch.inference_mode(False):  # a cached inference tensor could not be trained through
        turn = 2 * math.pi * torch.arange(size, dtype=torch.float64) / (size - 1)
        hann = 0.5 - 0.5 * turn.cos()
        window = {
            "blackman": blackman_coeff
            - 0.5 * turn.cos()
            + (0.5 - blackman_coeff) * (2 * turn).cos(),
            "hamming": 0.54 - 0.46 * turn.cos(),
            "hanning": hann,
            "povey": hann**0.85,
            "rectangular": torch.ones_like(hann),
        }[kind]
        return window.to(device=device, dtype=dtype)
