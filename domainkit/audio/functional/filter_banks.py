"""Banks that turn a spectrum's bins into bands: mel, linear, and the cosines of a cepstrum.

Two mel scales are in use. HTK's is mel = 2595 log10(1 + f / 700) (O'Shaughnessy, 1987). Slaney's
(Auditory Toolbox, 1998) is linear up to 1000 Hz (200 / 3 Hz a mel) and logarithmic above, where 27
mel multiply the frequency by 6.4.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch

from domainkit.audio.functional.checks import check_whole
from domainkit.errors import TransformError

__all__ = [
    "create_dct",
    "hertz_to_mel",
    "linear_fbanks",
    "mel_to_hertz",
    "melscale_fbanks",
    "triangles",
]

LINEAR_HZ = 200.0 / 3.0  # Hz per mel below the break
BREAK_HZ = 1000.0
BREAK_MEL = BREAK_HZ / LINEAR_HZ
LOG_STEP = np.log(6.4) / 27.0
SCALES = ("htk", "slaney")


def melscale_fbanks(  # noqa: PLR0917  # torchaudio's arguments
    n_freqs: int,
    f_min: float,
    f_max: float,
    n_mels: int,
    sample_rate: int,
    norm: str | None = None,
    mel_scale: str = "htk",
) -> torch.Tensor:
    """Triangles on the mel scale.

    Args:
        n_freqs: bins of the spectrum, n_fft // 2 + 1, from 0 Hz to sample_rate // 2.
        f_min, f_max: lowest and highest frequency, in Hz.
        n_mels: number of bands.
        sample_rate: in Hz.
        norm: "slaney" gives every band the area 1 Hz, None the height 1.
        mel_scale: "htk" or "slaney".

    Returns:
        [n_freqs, n_mels] of torch's default dtype. It is computed in float64, so it differs from
        torchaudio's float32 bank by up to 2e-4.

    Raises:
        TransformError: an argument outside its range.

    Warns:
        UserWarning: a band so narrow that no bin falls into it.

    Example:
        >>> melscale_fbanks(5, 0.0, 800.0, 3, 1600, mel_scale="slaney")
        tensor([[0., 0., 0.],
                [1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.],
                [0., 0., 0.]])
    """
    _check("melscale_fbanks", n_freqs, f_min, f_max, n_mels)
    if norm not in (None, "slaney"):
        raise TransformError(f"melscale_fbanks: norm is 'slaney' or None, got {norm!r}")
    if mel_scale not in SCALES:
        raise TransformError(f"melscale_fbanks: mel_scale is 'htk' or 'slaney', got {mel_scale!r}")
    low, high = hertz_to_mel(np.array([f_min, f_max], dtype=np.float64), mel_scale)
    corners = mel_to_hertz(np.linspace(low, high, n_mels + 2), mel_scale)
    bank = triangles(np.linspace(0, sample_rate // 2, n_freqs), corners, area=norm == "slaney")
    empty = int((bank.max(0) == 0).sum())
    if empty:
        warnings.warn(
            f"melscale_fbanks: {empty} of {n_mels} bands lie between two bins of the transform and "
            "stay 0: use fewer bands, a longer n_fft or a higher f_min",
            stacklevel=2,
        )
    return torch.from_numpy(bank).to(torch.get_default_dtype())


def linear_fbanks(
    n_freqs: int, f_min: float, f_max: float, n_filter: int, sample_rate: int
) -> torch.Tensor:
    """Triangles of equal width, in Hz.

    Args are those of ``melscale_fbanks``; ``n_filter`` is the number of bands.

    Returns:
        [n_freqs, n_filter] of torch's default dtype.

    Raises:
        TransformError: an argument outside its range.

    Example:
        >>> linear_fbanks(3, 0.0, 800.0, 1, 1600)
        tensor([[0.],
                [1.],
                [0.]])
    """
    _check("linear_fbanks", n_freqs, f_min, f_max, n_filter)
    corners = np.linspace(f_min, f_max, n_filter + 2)
    bank = triangles(np.linspace(0, sample_rate // 2, n_freqs), corners)
    return torch.from_numpy(bank).to(torch.get_default_dtype())


def create_dct(n_mfcc: int, n_mels: int, norm: str | None) -> torch.Tensor:
    """The first ``n_mfcc`` cosines of a discrete cosine transform of type 2.

    Args:
        n_mfcc: how many coefficients.
        n_mels: how many bands they are made of.
        norm: "ortho" makes the columns orthonormal; None is twice the plain cosine.

    Returns:
        [n_mels, n_mfcc] of torch's default dtype, to multiply bands [..., n_mels] with.

    Raises:
        TransformError: an argument outside its range.

    Example:
        >>> create_dct(2, 3, None)
        tensor([[ 2.0000,  1.7321],
                [ 2.0000,  0.0000],
                [ 2.0000, -1.7321]])
    """
    check_whole("create_dct", "n_mfcc", n_mfcc, 1)
    check_whole("create_dct", "n_mels", n_mels, 1)
    if norm not in (None, "ortho"):
        raise TransformError(f"create_dct: norm is 'ortho' or None, got {norm!r}")
    bands, orders = np.arange(n_mels)[:, None] + 0.5, np.arange(n_mfcc)
    cosines = 2.0 * np.cos(np.pi / n_mels * bands * orders)
    cosines[np.abs(cosines) < 1e-14] = 0.0
    if norm == "ortho":
        cosines *= np.where(orders == 0, 0.5, 0.5**0.5) / n_mels**0.5
    return torch.from_numpy(cosines).to(torch.get_default_dtype())


def triangles(bins: np.ndarray, corners: np.ndarray, *, area: bool = False) -> np.ndarray:
    """Band m rises from corner m to m + 1 and falls to m + 2: float64 [bins, bands].

    Args:
        bins, corners: in Hz.
        area: give every triangle the area 1 Hz, not the height 1.
    """
    left, peak, right = corners[:-2], corners[1:-1], corners[2:]
    at = bins[:, None]
    bank = np.maximum(np.minimum((at - left) / (peak - left), (right - at) / (right - peak)), 0.0)
    return bank * (2.0 / (right - left)) if area else bank


def hertz_to_mel(hertz: np.ndarray, scale: str) -> np.ndarray:
    """Frequencies on the mel scale "htk" or "slaney"."""
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hertz / 700.0)
    above = np.log(np.maximum(hertz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.where(hertz < BREAK_HZ, hertz / LINEAR_HZ, BREAK_MEL + above)


def mel_to_hertz(mel: np.ndarray, scale: str) -> np.ndarray:
    """The inverse of ``hertz_to_mel``."""
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = BREAK_HZ * np.exp(LOG_STEP * np.maximum(mel - BREAK_MEL, 0.0))
    return np.where(mel < BREAK_MEL, mel * LINEAR_HZ, above)


def _check(name: str, n_freqs: int, f_min: float, f_max: float, bands: int) -> None:
    check_whole(name, "n_freqs", n_freqs, 2)
    check_whole(name, "the number of bands", bands, 1)
    if not 0 <= f_min < f_max:
        raise TransformError(f"{name} needs 0 <= f_min < f_max, got {f_min} and {f_max}")
