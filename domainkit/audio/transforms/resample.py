"""``Resample``: another sample rate, by a windowed sinc filter.

Method: J. O. Smith, "Digital Audio Resampling" (ccrma.stanford.edu/~jos/resample). Names, defaults
and numbers are torchaudio's (``torchaudio.functional.resample``), so results agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.audio.transforms.checks import check_waveforms
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = ["Resample"]

METHODS = ("sinc_interp_hann", "sinc_interp_kaiser")
KAISER_BETA = 14.769656459379492  # of librosa's kaiser_best, which torchaudio took as its default


@dataclass(frozen=True)
class Resample(Transform):
    """Change the sample rate from ``orig_freq`` to ``new_freq`` (Hz).

    Input: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    Output: the same with ceil(new_freq * T / orig_freq) samples, per item. Outside its own ends a
    sample is zero, so it gives the same result alone and in any batch.

    Agrees with ``torchaudio.functional.resample`` to 1e-5 of full scale in float32.

    Args:
        orig_freq, new_freq: in Hz, positive whole numbers.
        lowpass_filter_width: zero crossings of the sinc on either side: more is sharper and slower.
        rolloff: the cut-off as a part of the lower Nyquist frequency, in (0, 1].
        resampling_method: the window, "sinc_interp_hann" or "sinc_interp_kaiser".
        beta: of the Kaiser window; None takes 14.77.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> t = torch.arange(480) / 48000
        >>> tone = torch.sin(2 * torch.pi * 1000 * t)[None, None]
        >>> low = Resample(48000, 16000)(tone)
        >>> low.shape, bool((low[..., 30:130] - tone[..., 90:390:3]).abs().max() < 1e-3)
        (torch.Size([1, 1, 160]), True)
    """

    orig_freq: int
    new_freq: int
    lowpass_filter_width: int = 6
    rolloff: float = 0.99
    resampling_method: str = "sinc_interp_hann"
    beta: float | None = None

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"

    def __post_init__(self) -> None:
        for name in ("orig_freq", "new_freq", "lowpass_filter_width"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise TransformError(f"Resample: {name} is a whole number above 0, got {value!r}")
        if not 0.0 < self.rolloff <= 1.0:
            raise TransformError(f"Resample needs rolloff in (0, 1], got {self.rolloff}")
        if self.resampling_method not in METHODS:
            raise TransformError(
                f"Resample: resampling_method is {' or '.join(map(repr, METHODS))}, "
                f"got {self.resampling_method!r}"
            )

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        if self.orig_freq == self.new_freq:
            return x
        if not isinstance(x, Ragged):
            return self._dense(x)
        # zeros behind the end are what the filter sees there anyway: padding changes nothing
        padded, shapes = x.pad()
        new_shapes = x.host_shapes.copy()
        new_shapes[:, 1] = [self._length(int(n)) for n in new_shapes[:, 1]]
        return Ragged.unpad(self._dense(padded), torch.from_numpy(new_shapes).to(shapes.device))

    def _length(self, length: int) -> int:
        return -(-length * self.new_freq // self.orig_freq)

    def _dense(self, x: torch.Tensor) -> torch.Tensor:
        common = math.gcd(self.orig_freq, self.new_freq)
        step, phases = self.orig_freq // common, self.new_freq // common
        beta = KAISER_BETA if self.beta is None else self.beta
        kernel = _kernel(
            (step, phases, self.lowpass_filter_width, self.rolloff),
            None if self.resampling_method == "sinc_interp_hann" else beta,
            x.device,
            x.dtype,
        )
        width = (kernel.shape[-1] - step) // 2
        batch, channels, length = x.shape
        rows = torch.nn.functional.pad(x.reshape(-1, 1, length), (width, width + step))
        # filter number p makes the outputs p, p + phases, p + 2 phases, ...
        out = torch.nn.functional.conv1d(rows, kernel, stride=step)
        out = out.transpose(1, 2).reshape(batch, channels, -1)
        return out[..., : self._length(length)]


@lru_cache(maxsize=32)
def _kernel(
    design: tuple[int, int, int, float],
    beta: float | None,
    device: torch.device,
    dtype: torch.dtype,
) -> torch.Tensor:
    """The filter bank [phases, 1, 2 * width + step]; ``beta`` None is the Hann window.

    With the rates in lowest terms o -> n, output m = q n + p lies at time q + p / n, in units of o
    inputs, and input q o + k at q + k / o: filter p needs h(k / o - p / n) for k from -width on.
    The ideal low-pass with cut-off c (per unit of time, c = rolloff min(o, n)) is c sinc(c t); the
    window ends it after ``zeros`` crossings, at c |t| = zeros. 1 / o is the step of the sum.
    """
    step, phases, zeros, rolloff = design
    cutoff = min(step, phases) * rolloff
    width = math.ceil(zeros * step / cutoff)
    inputs = np.arange(-width, width + step)[None, :] / step
    outputs = np.arange(phases)[:, None] / phases
    time = np.clip((inputs - outputs) * cutoff, -zeros, zeros)
    if beta is None:
        window = np.cos(time * np.pi / (2 * zeros)) ** 2
    else:
        window = np.i0(beta * np.sqrt(1 - (time / zeros) ** 2)) / np.i0(beta)
    with torch.inference_mode(False):  # a cached inference tensor could not be trained through
        kernel = torch.from_numpy(np.sinc(time) * window * (cutoff / step))[:, None]
        return kernel.to(device=device, dtype=dtype)
