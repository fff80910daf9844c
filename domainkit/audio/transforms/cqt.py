"""``CQT``: a spectrum whose bins are tones, equally many in each octave.

Source: J. Brown, "Calculation of a constant Q spectral transform" (1991); C. Schörkhuber and A.
Klapuri, "Constant-Q transform toolbox for music processing" (2010): an octave further down is the
same short kernels on a signal of half the rate, so low tones cost no more than high ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch

from domainkit.audio.functional.checks import check_whole
from domainkit.audio.functional.framing import each_block, powers
from domainkit.audio.functional.resampling import resample
from domainkit.audio.transforms._base import FrontEnd, Result, inside
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["CQT"]

C1 = 440.0 * 2.0 ** (-45 / 12)  # Hz
FLAT = 0.9375  # of the Nyquist frequency: what halving the rate leaves as it was
LOBES = 4  # of a kernel's spectrum, to one side, that must lie in there


@dataclass(frozen=True)
class CQT(FrontEnd):
    """Constant-Q transform: magnitudes at f_min * 2 ** (k / bins_per_octave) Hz.

    Input: float32 or float64 mono waveforms, dense [B, 1, T] or ``Ragged`` items [1, T_i].
    Output: frames first, dense [B, F, n_bins] or ``Ragged`` items [F_i, n_bins]. Frame f is centred
    on sample f * hop_length, and there are F = 1 + T // hop_length of them; outside a recording is
    silence. ``AmplitudeToDB("magnitude")`` makes decibels of them.

    A tone of amplitude A at bin k has the magnitude A sqrt(N) / 2 there, where N is the length of
    the bin's window in samples, Q sample_rate / f. That is librosa's scale.

    Agrees with the same kernels summed at the full rate to 1e-3 of the largest magnitude, on noise;
    with ``librosa.cqt`` to 3 % (its kernels lie up to a sample off centre), but within a window of
    a recording's ends to 15 % only, as librosa's halving of the rate cuts off what rings there.

    Args:
        sample_rate: of the input, in Hz.
        hop_length: samples from one frame to the next. Powers of 2 in it are what lets the rate be
            halved: 512 is quick, an odd number slow.
        f_min: the lowest bin, in Hz; C1 by default.
        n_bins: how many; the highest must not lie above sample_rate / 2.
        bins_per_octave: 12 are semitones.
        filter_scale: how long windows are; below 1, times are finer and tones coarser.
        power: 1 for magnitude, 2 for energy.

    Raises:
        TransformError: an argument outside its range; several channels; another dtype or shape.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 440.0 / 22050 * torch.arange(22050))[None, None]
        >>> tones = CQT()(tone)
        >>> tones.shape, int(tones[0, 20].argmax())  # A4 lies 45 semitones above C1
        (torch.Size([1, 44, 84]), 45)
    """

    sample_rate: int = 22050
    hop_length: int = 512
    f_min: float = C1
    n_bins: int = 84
    bins_per_octave: int = 12
    filter_scale: float = 1.0
    power: float = 1.0

    mono: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("sample_rate", "hop_length", "n_bins", "bins_per_octave"):
            check_whole("CQT", name, getattr(self, name), 1)
        for name in ("f_min", "filter_scale", "power"):
            if not getattr(self, name) > 0:
                raise TransformError(f"CQT: {name} is above 0, got {getattr(self, name)}")
        if self._hertz[-1] > self.sample_rate / 2:
            raise TransformError(
                f"CQT: {self.n_bins} bins reach {self._hertz[-1]:.1f} Hz, but there is nothing "
                f"above sample_rate / 2 = {self.sample_rate / 2:g} Hz: take fewer bins"
            )

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        if (lengths == x.shape[2]).all():
            bins = self.whole(x, draws)
        else:
            bins = self._bins(x[:, 0], torch.from_numpy(lengths).to(x.device))
        return bins, 1 + lengths // self.hop_length

    def whole(self, x: torch.Tensor, draws: Draws) -> torch.Tensor:
        return self._bins(x[:, 0], None)

    def _bins(self, signal: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """[B, T] -> [B, F, n_bins]; lengths None: all have T samples."""
        most = 1 + signal.shape[1] // self.hop_length
        room, octaves = _plan(self)
        # all octaves' kernels at once: a graph takes a function's result as a constant only once
        sizes = [samples * columns for _, samples, columns in octaves]
        kernels = _kernels(self, signal.device, signal.dtype).split(sizes)
        signal, level = torch.nn.functional.pad(signal, (room, room)), 0
        done = []
        for (wanted, samples, columns), kernel in zip(octaves, kernels, strict=True):
            while level < wanted:
                level += 1
                signal = resample(signal, 2, 1, resampling_method="high_quality")
                if lengths is not None:  # what rings on behind an end is cut as if alone
                    own = inside(-(-(lengths + 2 * room) // 2**level), signal.shape[1])
                    signal = torch.where(own, signal, 0)
            start = room // 2**level - samples // 2
            frames = signal[:, start:].unfold(1, samples, self.hop_length // 2**level)[:, :most]
            done.append(self._octave(frames, kernel.view(samples, columns)))
        return torch.cat(done[::-1], 2)

    def _octave(self, frames: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
        """[B, F, N] by cosines and sines [N, 2 bins] -> [B, F, bins]."""

        def bins(part: torch.Tensor) -> torch.Tensor:
            real, imaginary = (part @ kernels).chunk(2, -1)
            return powers(torch.complex(real, imaginary), self.power)

        return each_block(frames, bins)

    def _octaves(self) -> list[tuple[int, int]]:
        """First bin, and how often the rate is halved, of each octave from the highest down."""
        halvings = (self.hop_length & -self.hop_length).bit_length() - 1  # frames stay on samples
        found = []
        for end in range(self.n_bins, 0, -self.bins_per_octave):
            edge = float(self._hertz[end - 1]) * (1 + LOBES / self._q)
            level = math.floor(math.log2(FLAT * self.sample_rate / 2 / edge))
            found.append((max(0, end - self.bins_per_octave), min(max(0, level), halvings)))
        return found

    def _reach(self, first: int, level: int) -> int:
        """Samples at sample_rate / 2^level from the middle of bin ``first``'s window to its end."""
        return math.floor(float(self._lengths[first]) / 2 / 2**level)

    @property
    def _hertz(self) -> np.ndarray:
        return self.f_min * 2.0 ** (np.arange(self.n_bins) / self.bins_per_octave)

    @property
    def _q(self) -> float:
        """Periods in a window: f over half the distance of the two neighbours, as in librosa."""
        two = 2.0 ** (2 / self.bins_per_octave)  # from the bin below to the bin above
        return self.filter_scale * (two + 1) / (two - 1)

    @property
    def _lengths(self) -> np.ndarray:
        """Of the windows, in samples of the input; not whole."""
        return self._q * self.sample_rate / self._hertz


@torch.compiler.assume_constant_result  # numpy's numbers are constants of a graph
def _plan(op: CQT) -> tuple[int, list[tuple[int, int, int]]]:
    """Silence to put around; of each octave from the highest down: level, rows, columns."""
    octaves = op._octaves()
    deepest = max(level for _, level in octaves)
    # enough for the longest window, in whole samples of the lowest rate
    room = (op._reach(0, 0) // 2**deepest + 1) * 2**deepest
    ends = [op.n_bins, *(first for first, _ in octaves)]
    return room, [
        (level, 2 * op._reach(first, level) + 1, 2 * (end - first))
        for (first, level), end in zip(octaves, ends, strict=False)
    ]


@torch.compiler.assume_constant_result
def _kernels(op: CQT, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    return _made(op, device, dtype)


@lru_cache(maxsize=32)
def _made(op: CQT, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Of each octave from the highest down, [samples, 2 bins], one behind the other."""
    made, end = [], op.n_bins
    for first, level in op._octaves():
        reach = op._reach(first, level)  # the lowest bin's window is the longest
        place = np.arange(-reach, reach + 1)[:, None] * 2.0**level  # in samples of the input
        size, hertz = op._lengths[first:end], op._hertz[first:end]
        window = 0.5 + 0.5 * np.cos(2 * np.pi * place / size)
        window = np.where(np.abs(place) < size / 2, window, 0.0)
        window *= np.sqrt(size) / window.sum(0)
        turn = 2 * np.pi * place * hertz / op.sample_rate
        made.append(np.concatenate([window * np.cos(turn), -window * np.sin(turn)], 1).ravel())
        end = first
    with torch.inference_mode(False):  # a cached inference tensor could not be trained through
        return torch.from_numpy(np.concatenate(made)).to(device=device, dtype=dtype)
