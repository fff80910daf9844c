"""``convolve`` and ``fftconvolve``: full, valid or same convolution along time.

Long signals are convolved block by block (overlap-save, A. Oppenheim and R. Schafer, "Discrete-Time
Signal Processing", 8.7.3), each block at a length that the transform is quick at.
"""

from __future__ import annotations

import torch

from domainkit.audio.functional.checks import check_floating
from domainkit.errors import TransformError

__all__ = ["convolve", "fftconvolve"]

MODES = ("full", "valid", "same")
_SHORTEST = 1 << 12  # of a block's transform
_DIRECT = 64  # taps that are summed as they are


def fftconvolve(x: torch.Tensor, y: torch.Tensor, mode: str = "full") -> torch.Tensor:
    """Convolve along the last dimension, by Fourier transforms.

    Args:
        x, y: floating [..., N] and [..., M]; the other dimensions broadcast.
        mode: "full" gives N + M - 1 numbers, "valid" the max(N, M) - min(N, M) + 1 where both lie
            wholly over each other, "same" N in the middle of the full ones.

    Returns:
        The convolution, in float32 within 1e-5 of its largest value.

    Raises:
        TransformError: another mode or dtype, an empty signal, shapes that do not broadcast.

    Example:
        >>> fftconvolve(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0])).round()
        tensor([1., 3., 5., 3.])
    """
    _check("fftconvolve", x, y, mode)
    return _cut(_by_blocks(*_by_length(x, y)), mode, x.shape[-1], y.shape[-1])


def convolve(x: torch.Tensor, y: torch.Tensor, mode: str = "full") -> torch.Tensor:
    """``fftconvolve``, with the sums of short signals made directly.

    Args, Returns and Raises are those of ``fftconvolve``.

    Example:
        >>> convolve(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0]), mode="valid")
        tensor([3., 5.])
    """
    _check("convolve", x, y, mode)
    longer, shorter = _by_length(x, y)
    whole = _by_sums if shorter.shape[-1] <= _DIRECT else _by_blocks
    return _cut(whole(longer, shorter), mode, x.shape[-1], y.shape[-1])


def _by_length(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return (x, y) if x.shape[-1] >= y.shape[-1] else (y, x)


def _by_sums(x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """The full convolution of x [..., N] with the shorter h [..., M]."""
    shape = torch.broadcast_shapes(x.shape[:-1], h.shape[:-1])
    taps = h.expand(*shape, -1).reshape(-1, 1, h.shape[-1])
    rows = x.expand(*shape, -1).reshape(1, -1, x.shape[-1])
    edge = h.shape[-1] - 1
    out = torch.nn.functional.conv1d(rows, taps.flip(-1), padding=edge, groups=len(taps))
    return out.view(*shape, -1)


def _by_blocks(x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """The full convolution of x [..., N] with the shorter h [..., M]."""
    n, m = x.shape[-1], h.shape[-1]
    total = n + m - 1
    length = _quick_length(min(total, max(_SHORTEST, 3 * m)))
    step = length - m + 1
    blocks = -(-total // step)
    taps = torch.fft.rfft(h, length)[..., None, :]
    wanted = torch.is_grad_enabled() and (x.requires_grad or h.requires_grad)
    if x.device.type == "cpu" and not wanted and not torch.compiler.is_compiling():
        return _row_by_row(x, taps, length, step)
    padded = torch.nn.functional.pad(x, (m - 1, blocks * step - n))
    spectra = torch.fft.rfft(padded.unfold(-1, length, step)) * taps
    parts = torch.fft.irfft(spectra, length)[..., m - 1 :]
    return parts.flatten(-2)[..., :total]


def _row_by_row(x: torch.Tensor, taps: torch.Tensor, length: int, step: int) -> torch.Tensor:
    """The same, one waveform after the other: what is at work stays in the processor's cache."""
    shape = torch.broadcast_shapes(x.shape[:-1], taps.shape[:-2])
    n = x.shape[-1]
    before = length - step  # one less than there are taps
    total = n + before
    blocks = -(-total // step)
    room = x.new_zeros(before + blocks * step)
    frames = room.unfold(0, length, step)
    rows = x.expand(*shape, -1).reshape(-1, n)
    spectra = taps.expand(*shape, -1, -1).flatten(0, -3) if shape else taps[None]
    out = x.new_empty(len(rows), total)
    whole = total // step  # blocks that lie wholly in the result
    for row, spectrum, to in zip(rows, spectra, out, strict=True):
        room[before : before + n] = row
        part = torch.fft.irfft(torch.fft.rfft(frames).mul_(spectrum), length)[:, before:]
        to[: whole * step].view(whole, step).copy_(part[:whole])
        if whole < blocks:
            to[whole * step :] = part[whole, : total - whole * step]
    return out.view(*shape, total)


def _cut(full: torch.Tensor, mode: str, n: int, m: int) -> torch.Tensor:
    if mode == "full":
        return full
    wanted = n if mode == "same" else max(n, m) - min(n, m) + 1
    first = (full.shape[-1] - wanted) // 2
    return full[..., first : first + wanted]


def _quick_length(least: int) -> int:
    """The smallest 2^a 3^b 5^c from ``least`` on: lengths that transforms are quick at."""
    best = 1 << max(1, (least - 1).bit_length())
    five = 1
    while five < best:
        three = five
        while three < best:
            power = three << max(0, (-(-least // three) - 1).bit_length())
            best = min(best, power)
            three *= 3
        five *= 5
    return best


def _check(name: str, x: torch.Tensor, y: torch.Tensor, mode: str) -> None:
    check_floating(name, x)
    check_floating(name, y)
    if mode not in MODES:
        raise TransformError(f"{name}: mode is one of {', '.join(MODES)}, got {mode!r}")
    if not x.shape[-1] or not y.shape[-1]:
        raise TransformError(f"{name}: both signals need a sample at least")
    try:
        torch.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    except RuntimeError as error:
        raise TransformError(
            f"{name}: all dimensions but the last must be equal or 1, got {tuple(x.shape)} and "
            f"{tuple(y.shape)}"
        ) from error
