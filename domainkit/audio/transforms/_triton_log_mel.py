"""From spectrum to log-mel in Triton: power, bands, floor and logarithm in one pass.

Behind cuFFT the rest is a matter of memory: the spectrum is read once, and nothing but the features
is written. Exactness: that of the torch form, to 2e-6 of the natural logarithm.
"""

# device functions: their arguments have the types that the launch gives them
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, misc"

from __future__ import annotations

import torch
import triton
import triton.language as tl

__all__ = ["log_mel_triton"]

_ROWS, _BINS = 32, 32


@triton.jit(do_not_specialize=["rows"])
def _log_mel(  # noqa: PLR0917 - of a kernel
    spectrum, bank, out, rows, floor, bins: tl.constexpr, mels: tl.constexpr,
    M: tl.constexpr, R: tl.constexpr, K: tl.constexpr, SQUARED: tl.constexpr,
):  # fmt: skip
    """``spectrum`` [rows, bins, 2], ``bank`` [bins, mels], ``out`` [rows, mels]."""
    row = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    mel = tl.arange(0, M)
    bands = tl.zeros((R, M), dtype=tl.float32)
    for start in range(0, bins, K):
        k = start + tl.arange(0, K)
        there = (row[:, None] < rows) & (k[None, :] < bins)
        place = spectrum + row[:, None] * (2 * bins) + 2 * k[None, :]
        real = tl.load(place, mask=there, other=0.0)
        imaginary = tl.load(place + 1, mask=there, other=0.0)
        power = real * real + imaginary * imaginary
        if not SQUARED:
            power = tl.sqrt(power)
        weights = tl.load(
            bank + k[:, None] * mels + mel[None, :],
            mask=(k[:, None] < bins) & (mel[None, :] < mels),
            other=0.0,
        )
        # in whole single precision: TF32 keeps three figures, and a logarithm shows the fourth
        bands += tl.dot(power, weights, input_precision="ieee")
    result = tl.log(tl.maximum(bands, floor))
    tl.store(
        out + row[:, None] * mels + mel[None, :],
        result,
        mask=(row[:, None] < rows) & (mel[None, :] < mels),
    )


def log_mel_triton(
    spectrum: torch.Tensor, bank: torch.Tensor, floor: float, power: float
) -> torch.Tensor:
    """complex64 [..., bins] and float32 [bins, mels] -> float32 [..., mels].

    Args:
        floor: the smallest band value, before the logarithm.
        power: 2 for energy, 1 for magnitude.
    """
    bins, mels = bank.shape
    parts = torch.view_as_real(spectrum).contiguous().view(-1, bins, 2)
    out = torch.empty(len(parts), mels, device=parts.device)
    if len(parts):
        _log_mel[(triton.cdiv(len(parts), _ROWS),)](
            parts, bank.contiguous(), out, len(parts), floor, bins, mels,
            M=max(16, triton.next_power_of_2(mels)), R=_ROWS, K=_BINS, SQUARED=power == 2.0,
        )  # fmt: skip
    return out.view(*spectrum.shape[:-1], mels)
