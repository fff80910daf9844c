"""Filters of second order: ``biquad`` and the designs that give it its six coefficients.

Sources of the designs: R. Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter
coefficients"; for ``band_biquad``, ``deemph_biquad`` and ``riaa_biquad`` those of SoX. Arguments
and numbers are torchaudio's; coefficients are made in float64.

A frequency, gain or Q may be a number or a tensor [] that wants a gradient.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.audio.functional.recursion import lfilter
from domainkit.errors import TransformError

__all__ = [
    "allpass_biquad",
    "band_biquad",
    "bandpass_biquad",
    "bandreject_biquad",
    "bass_biquad",
    "biquad",
    "deemph_biquad",
    "equalizer_biquad",
    "highpass_biquad",
    "lowpass_biquad",
    "riaa_biquad",
    "treble_biquad",
]

Number: TypeAlias = float | torch.Tensor

# rate -> frequency, slope and decibels of the shelf that undoes the emphasis of compact discs
_DEEMPH = {44100: (5283.0, 0.4845, -9.477), 48000: (5356.0, 0.479, -9.62)}
# rate -> zeros and poles of the curve that records are played with
_RIAA = {
    44100: ((-0.2014898, 0.9233820), (0.7083149, 0.9924091)),
    48000: ((-0.1766069, 0.9321590), (0.7396325, 0.9931330)),
    88200: ((-0.1168735, 0.9648312), (0.8590646, 0.9964002)),
    96000: ((-0.1141486, 0.9676817), (0.8699137, 0.9966946)),
}


def biquad(  # noqa: PLR0917  # torchaudio's arguments
    waveform: torch.Tensor, b0: Number, b1: Number, b2: Number, a0: Number, a1: Number, a2: Number
) -> torch.Tensor:
    """Filter by ``(b0 + b1 z^-1 + b2 z^-2) / (a0 + a1 z^-1 + a2 z^-2)``, cut to [-1, 1].

    Args:
        waveform: floating [..., T].
        b0, b1, b2, a0, a1, a2: numbers or tensors [].

    Raises:
        TransformError: not a floating tensor.

    Example:
        >>> biquad(torch.tensor([1.0, 0.0, 0.0]), 0.5, 0.5, 0.0, 1.0, 0.0, 0.0)
        tensor([0.5000, 0.5000, 0.0000])
    """
    check_floating("biquad", waveform)
    b, a = (_row(waveform, values) for values in ((b0, b1, b2), (a0, a1, a2)))
    return lfilter(waveform, a, b)


def lowpass_biquad(
    waveform: torch.Tensor, sample_rate: int, cutoff_freq: Number, Q: Number = 0.707
) -> torch.Tensor:
    """Let pass what is below ``cutoff_freq`` (Hz); beyond it 12 dB less per octave.

    Args:
        waveform: floating [..., T]. sample_rate: Hz. Q: 0.707 is the flattest, above it rings.

    Raises:
        TransformError: not a floating tensor; a frequency outside (0, sample_rate / 2).

    Example:
        >>> lowpass_biquad(torch.ones(2000), 16000, 1000.0)[-1].round()
        tensor(1.)
    """
    cos, alpha = _angle("lowpass_biquad", waveform, sample_rate, cutoff_freq, Q)
    return biquad(waveform, (1 - cos) / 2, 1 - cos, (1 - cos) / 2, *_poles(cos, alpha))


def highpass_biquad(
    waveform: torch.Tensor, sample_rate: int, cutoff_freq: Number, Q: Number = 0.707
) -> torch.Tensor:
    """Let pass what is above ``cutoff_freq`` (Hz).

    Args and Raises are those of ``lowpass_biquad``.

    Example:
        >>> bool(highpass_biquad(torch.ones(2000), 16000, 1000.0)[-1].abs() < 1e-3)
        True
    """
    cos, alpha = _angle("highpass_biquad", waveform, sample_rate, cutoff_freq, Q)
    return biquad(waveform, (1 + cos) / 2, -1 - cos, (1 + cos) / 2, *_poles(cos, alpha))


def allpass_biquad(
    waveform: torch.Tensor, sample_rate: int, central_freq: Number, Q: Number = 0.707
) -> torch.Tensor:
    """Turn the phase around ``central_freq`` (Hz); every loudness stays.

    Args and Raises are those of ``lowpass_biquad``.

    Example:
        >>> allpass_biquad(torch.zeros(2, 5), 16000, 1000.0).shape
        torch.Size([2, 5])
    """
    cos, alpha = _angle("allpass_biquad", waveform, sample_rate, central_freq, Q)
    return biquad(waveform, 1 - alpha, -2 * cos, 1 + alpha, *_poles(cos, alpha))


def bandpass_biquad(
    waveform: torch.Tensor,
    sample_rate: int,
    central_freq: Number,
    Q: Number = 0.707,
    const_skirt_gain: bool = False,
) -> torch.Tensor:
    """Let pass what is around ``central_freq`` (Hz), a band of ``central_freq / Q``.

    Args:
        waveform, sample_rate, Q: as for ``lowpass_biquad``.
        const_skirt_gain: the peak is Q, else 0 dB.

    Raises:
        TransformError: as ``lowpass_biquad``.

    Example:
        >>> bandpass_biquad(torch.zeros(2, 5), 16000, 1000.0).shape
        torch.Size([2, 5])
    """
    cos, alpha = _angle("bandpass_biquad", waveform, sample_rate, central_freq, Q)
    peak = (1 - cos * cos).sqrt() / 2 if const_skirt_gain else alpha
    return biquad(waveform, peak, 0.0, -peak, *_poles(cos, alpha))


def bandreject_biquad(
    waveform: torch.Tensor, sample_rate: int, central_freq: Number, Q: Number = 0.707
) -> torch.Tensor:
    """Stop what is around ``central_freq`` (Hz).

    Args and Raises are those of ``lowpass_biquad``.

    Example:
        >>> bandreject_biquad(torch.zeros(2, 5), 16000, 1000.0).shape
        torch.Size([2, 5])
    """
    cos, alpha = _angle("bandreject_biquad", waveform, sample_rate, central_freq, Q)
    return biquad(waveform, 1.0, -2 * cos, 1.0, *_poles(cos, alpha))


def band_biquad(
    waveform: torch.Tensor,
    sample_rate: int,
    central_freq: Number,
    Q: Number = 0.707,
    noise: bool = False,
) -> torch.Tensor:
    """SoX's two-pole band filter around ``central_freq`` (Hz).

    Args:
        waveform, sample_rate, Q: as for ``lowpass_biquad``.
        noise: scaled for noise (the energy of the band stays) in the place of tones.

    Raises:
        TransformError: as ``lowpass_biquad``.

    Example:
        >>> band_biquad(torch.zeros(2, 5), 16000, 1000.0).shape
        torch.Size([2, 5])
    """
    cos, _ = _angle("band_biquad", waveform, sample_rate, central_freq, Q)
    width = _number(waveform, central_freq) / _number(waveform, Q)
    a2 = torch.exp(-2 * math.pi * width / sample_rate)
    a1 = -4 * a2 / (1 + a2) * cos
    b0 = (1 - a1 * a1 / (4 * a2)).sqrt() * (1 - a2)
    if noise:
        b0 = (((1 + a2) ** 2 - a1 * a1) * (1 - a2) / (1 + a2)).sqrt()
    return biquad(waveform, b0, 0.0, 0.0, 1.0, a1, a2)


def equalizer_biquad(
    waveform: torch.Tensor, sample_rate: int, center_freq: Number, gain: Number, Q: Number = 0.707
) -> torch.Tensor:
    """Lift or sink what is around ``center_freq`` (Hz) by ``gain`` decibels.

    Args and Raises are those of ``lowpass_biquad``.

    Example:
        >>> equalizer_biquad(torch.zeros(2, 5), 16000, 1000.0, 6.0).shape
        torch.Size([2, 5])
    """
    cos, alpha = _angle("equalizer_biquad", waveform, sample_rate, center_freq, Q)
    a = torch.pow(10.0, _number(waveform, gain) / 40)
    zeros = (1 + alpha * a, -2 * cos, 1 - alpha * a)
    return biquad(waveform, *zeros, *_poles(cos, alpha / a))


def bass_biquad(
    waveform: torch.Tensor,
    sample_rate: int,
    gain: Number,
    central_freq: Number = 100,
    Q: Number = 0.707,
) -> torch.Tensor:
    """Lift or sink what is below ``central_freq`` (Hz) by ``gain`` decibels: a shelf.

    Args and Raises are those of ``lowpass_biquad``.

    Example:
        >>> bass_biquad(torch.zeros(2, 5), 16000, 6.0).shape
        torch.Size([2, 5])
    """
    cos, alpha = _angle("bass_biquad", waveform, sample_rate, central_freq, Q)
    # the treble's shelf seen from the other end of the spectrum
    b, a = _shelf(-cos, alpha, _number(waveform, gain))
    return biquad(waveform, b[0], -b[1], b[2], a[0], -a[1], a[2])


def treble_biquad(
    waveform: torch.Tensor,
    sample_rate: int,
    gain: Number,
    central_freq: Number = 3000,
    Q: Number = 0.707,
) -> torch.Tensor:
    """Lift or sink what is above ``central_freq`` (Hz) by ``gain`` decibels: a shelf.

    Args and Raises are those of ``lowpass_biquad``.

    Example:
        >>> treble_biquad(torch.zeros(2, 5), 16000, 6.0).shape
        torch.Size([2, 5])
    """
    cos, alpha = _angle("treble_biquad", waveform, sample_rate, central_freq, Q)
    b, a = _shelf(cos, alpha, _number(waveform, gain))
    return biquad(waveform, *b, *a)


def deemph_biquad(waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Undo the treble emphasis of compact discs (ISO 908).

    Args:
        waveform: floating [..., T]. sample_rate: 44100 or 48000 Hz.

    Raises:
        TransformError: not a floating tensor; another rate.

    Example:
        >>> deemph_biquad(torch.zeros(2, 5), 44100).shape
        torch.Size([2, 5])
    """
    check_floating("deemph_biquad", waveform)
    frequency, slope, decibels = _known("deemph_biquad", _DEEMPH, sample_rate)
    a = 10.0 ** (decibels / 40)
    q = 1 / math.sqrt((a + 1 / a) * (1 / slope - 1) + 2)
    return treble_biquad(waveform, sample_rate, decibels, frequency, q)


def riaa_biquad(waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """The curve that records are played with (RIAA), 0 dB at 1 kHz.

    Args:
        waveform: floating [..., T]. sample_rate: 44100, 48000, 88200 or 96000 Hz.

    Raises:
        TransformError: not a floating tensor; another rate.

    Example:
        >>> riaa_biquad(torch.zeros(2, 5), 44100).shape
        torch.Size([2, 5])
    """
    check_floating("riaa_biquad", waveform)
    zeros, poles = _known("riaa_biquad", _RIAA, sample_rate)
    b, a = ((1.0, -(r[0] + r[1]), r[0] * r[1]) for r in (zeros, poles))
    z = complex(math.cos(2000 * math.pi / sample_rate), -math.sin(2000 * math.pi / sample_rate))
    level = abs((a[0] + a[1] * z + a[2] * z * z) / (b[0] + b[1] * z + b[2] * z * z))
    return biquad(waveform, level * b[0], level * b[1], level * b[2], *a)


def _angle(
    name: str, waveform: torch.Tensor, rate: int, frequency: Any, q: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """cos(w) and alpha = sin(w) / 2 Q of the cookbook, float64 []."""
    check_floating(name, waveform)
    frequency, q = _number(waveform, frequency), _number(waveform, q)
    hertz, sharpness = float(frequency.detach()), float(q.detach())
    if not 0 < hertz < rate / 2:
        raise TransformError(
            f"{name}: the frequency must lie in (0, {rate / 2:g}) Hz, half of sample_rate, got "
            f"{hertz:g}"
        )
    if not sharpness > 0:
        raise TransformError(f"{name}: Q must be above 0, got {sharpness:g}")
    w = 2 * math.pi * frequency / rate
    return w.cos(), w.sin() / 2 / q


def _poles(
    cos: torch.Tensor, alpha: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return 1 + alpha, -2 * cos, 1 - alpha


def _shelf(cos: torch.Tensor, alpha: torch.Tensor, decibels: torch.Tensor) -> Any:
    """b and a of a high shelf."""
    a = torch.pow(10.0, decibels / 40)
    more, less, ring = a + 1, a - 1, 2 * a.sqrt() * alpha
    b = (
        a * (more + less * cos + ring),
        -2 * a * (less + more * cos),
        a * (more + less * cos - ring),
    )
    return b, (more - less * cos + ring, 2 * (less - more * cos), more - less * cos - ring)


def _known(name: str, table: dict[int, Any], rate: int) -> Any:
    if rate not in table:
        rates = ", ".join(map(str, table))
        raise TransformError(f"{name}: sample_rate must be one of {rates}, got {rate}: resample")
    return table[rate]


def _number(waveform: torch.Tensor, value: Any) -> torch.Tensor:
    return torch.as_tensor(value, dtype=torch.float64, device=waveform.device)


def _row(waveform: torch.Tensor, values: Any) -> torch.Tensor:
    return torch.stack([_number(waveform, value) for value in values])
