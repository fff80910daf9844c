"""The long filter of ``resample``: a Kaiser-windowed sinc, applied by Fourier transforms.

A block of K periods (o inputs, n outputs each) is transformed at the old rate, its spectrum
weighted up to the lower Nyquist frequency, and transformed back at the new rate: overlap-save,
where the two transforms have different lengths. The filter ends below that frequency, so nothing
aliases.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

__all__ = ["by_transforms", "lowpass"]

BETA = 12.2  # of the window: side lobes below -120 dB
ZEROS = 120  # crossings on either side: the transition is .064 of the Nyquist frequency wide
CUTOFF = 0.9675  # as a part of the Nyquist frequency; the transition ends just below 1
_LEAST = 4096  # samples of a block
_AT_ONCE = 1 << 19  # samples that a CPU transforms together: they stay in its cache


def by_transforms(rows: torch.Tensor, o: int, n: int) -> torch.Tensor:
    """[R, T] -> [R, at least n T / o]; o and n have no common divisor."""
    low = min(o, n)
    edge = math.ceil(ZEROS / CUTOFF / low)  # periods that the filter reaches to either side
    periods = _even(max(16 * edge, -(-_LEAST // max(o, n))))
    weights = _weights(low * periods // 2 + 1, rows.device, rows.dtype) * (n / o)
    kept = periods - 2 * edge
    blocks = -(-rows.shape[1] // (kept * o))
    behind = (blocks * kept + edge) * o - rows.shape[1]
    together = max(1, _AT_ONCE // rows.shape[1]) if rows.device.type == "cpu" else len(rows)
    done = []
    for part in rows.split(together):
        padded = torch.nn.functional.pad(part, (edge * o, behind))
        frames = padded.unfold(-1, periods * o, kept * o)
        spectrum = torch.fft.rfft(frames)[..., : len(weights)] * weights
        back = torch.fft.irfft(spectrum, periods * n)
        done.append(back[..., edge * n : (edge + kept) * n].flatten(1))
    return torch.cat(done) if len(done) > 1 else done[0]


def _even(least: int) -> int:
    """A multiple of 2 from ``least`` on that leaves the transforms short factors."""
    unit = 1 << max(1, least.bit_length() - 3)
    return -(-least // unit) * unit


@torch.compiler.assume_constant_result  # numpy's numbers are constants of a graph
def _weights(bins: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    return _made_weights(bins, device, dtype)


@lru_cache(maxsize=32)
def _made_weights(bins: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    with torch.inference_mode(False):  # a cached inference tensor could not be trained through
        response = torch.from_numpy(lowpass(np.linspace(0, 1, bins)))
        return response.to(device=device, dtype=dtype)


def lowpass(frequency: np.ndarray) -> np.ndarray:
    """The filter's response at frequencies given as parts of the lower Nyquist frequency.

    The transform of a windowed sinc is that of the window, summed over the pass band. The window's
    has a closed form (J. Kaiser and R. Schafer, 1980), sinh(sqrt(b^2 - w^2)) / sqrt(b^2 - w^2), and
    the sum is taken by small steps.
    """
    half = ZEROS / CUTOFF  # of the window, in samples of the lower rate
    grid = np.linspace(-0.25, 0.25, 20001)  # distances from the cut-off; beyond is nothing
    w = np.pi * grid * half
    inner = np.sqrt((BETA**2 - w**2).astype(complex))
    shape = np.real(np.sinh(inner) / np.where(inner == 0, 1, inner))
    summed = np.concatenate([[0.0], np.cumsum((shape[1:] + shape[:-1]) / 2)])
    response = 1 - np.interp(frequency - CUTOFF, grid, summed / summed[-1])
    return np.where(frequency >= 1, 0.0, response)
