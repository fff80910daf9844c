"""``dither``: 16 bits, with noise that makes the error of rounding independent of the sound.

Source: S. Lipshitz, R. Wannamaker and J. Vanderkooy, "Quantization and dither: a theoretical
survey" (JAES 40, 1992).
"""

from __future__ import annotations

import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.errors import TransformError

__all__ = ["dither"]

_FULL = 1 << 15
_LAWS = ("TPDF", "RPDF", "GPDF")


def dither(
    waveform: torch.Tensor, density_function: str = "TPDF", noise_shaping: bool = False
) -> torch.Tensor:
    """Round to the levels of 16 bits after adding noise of about one level.

    torchaudio adds a triangle over time, or one number for all samples, which is no dither. Here
    every sample has a draw of its own from torch's generator.

    Args:
        waveform: floating [..., T]; beyond [-1, 1) it is cut.
        density_function: of the noise, in levels: "TPDF" the sum of two uniforms on [-1/2, 1/2),
            "RPDF" one of them, "GPDF" normal with deviation 1/2.
        noise_shaping: hand each sample's error on to the next one, so that the noise lies where
            the frequencies are high and few are heard.

    Returns:
        [..., T], multiples of 2**-15 in [-1, 1).

    Raises:
        TransformError: not a floating tensor; another density.

    Example:
        >>> levels = dither(torch.full((1000,), 0.4 / 32768)) * 32768
        >>> bool((levels == levels.round()).all()), bool((levels.mean() - 0.4).abs() < 0.1)
        (True, True)
    """
    check_floating("dither", waveform)
    if density_function not in _LAWS:
        raise TransformError(
            f"dither: density_function is one of {', '.join(_LAWS)}, got {density_function!r}"
        )
    levels = waveform.double() * _FULL
    noise = _drawn(levels, density_function)
    if noise_shaping:
        # With y = round(x - e' + d), e' the last error, sums over time are Y = X + e. Y is whole,
        # so that Y = round(X + d): the recursion is a difference of rounded sums.
        sums = (levels.cumsum(-1) + noise).round()
        levels = torch.diff(sums, prepend=torch.zeros_like(sums[..., :1]))
    else:
        levels = (levels + noise).round()
    return (levels.clamp(-_FULL, _FULL - 1) / _FULL).to(waveform.dtype)


def _drawn(like: torch.Tensor, law: str) -> torch.Tensor:
    if law == "GPDF":
        return torch.randn_like(like) / 2
    noise = torch.rand_like(like) - 0.5
    return noise if law == "RPDF" else noise + (torch.rand_like(like) - 0.5)
