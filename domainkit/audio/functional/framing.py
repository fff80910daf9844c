"""Short stretches of a signal and back: frames, their spectra in blocks, overlap and add.

On a CPU the frames are transformed a block at a time, so that a block stays in the cache for all
that is done to it; elsewhere in one go. Frames come before bins, [..., F, n_fft // 2 + 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

__all__ = ["centred_window", "each_block", "overlap_add", "powers", "signal_frames", "synthesise"]

BLOCK = 1 << 18  # numbers of framed signal at a time on a CPU: 1 MiB of float32 stays in its cache
_EMPTY = 1e-11  # where windows add up to less, nothing was heard


def centred_window(window: torch.Tensor, n_fft: int) -> torch.Tensor:
    """A window in the middle of n_fft samples, zeros around it, as ``torch.stft`` places it."""
    left = (n_fft - len(window)) // 2
    return torch.nn.functional.pad(window, (left, n_fft - len(window) - left))


def signal_frames(
    x: torch.Tensor, n_fft: int, hop_length: int, pad_mode: str | None
) -> torch.Tensor:
    """[..., T] -> a view [..., F, n_fft] of the signal, padded on both sides unless None."""
    if pad_mode is not None:
        half = n_fft // 2
        # mirroring needs two dimensions, and takes three at most
        rows = x[None] if x.ndim == 1 else x.flatten(0, -2)
        # there may be no rows at all, which mirroring refuses
        mode = pad_mode if rows.numel() else "constant"
        rows = torch.nn.functional.pad(rows, (half, half), mode)
        x = rows.view(*x.shape[:-1], rows.shape[-1])
    return x.unfold(-1, n_fft, hop_length)


def each_block(frames: torch.Tensor, work: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """``work`` on [..., F, N], done in blocks of frames."""
    if not frames.numel():  # a transform of nothing is an error in MKL
        like = work(frames.new_zeros(1, frames.shape[-1]))
        return like.new_zeros(*frames.shape[:-1], like.shape[-1])
    parts: Sequence[torch.Tensor] = [frames]
    if frames.device.type == "cpu" and not torch.compiler.is_compiling():
        others = max(1, frames.numel() // max(1, frames.shape[-2]))
        parts = frames.split(max(1, BLOCK // others), dim=-2)
    done = [work(part) for part in parts]
    return done[0] if len(done) == 1 else torch.cat(done, dim=-2)


def powers(spectrum: torch.Tensor, power: float) -> torch.Tensor:
    """``abs(spectrum) ** power``, whose derivative at 0 is 0."""
    # by parts: a sum over pairs costs four times as much
    energy = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
    if power == 2.0:
        return energy
    if energy.requires_grad:
        # the derivative of a root at 0 is infinite: silence must not give NaN gradients
        energy = energy.clamp(min=torch.finfo(energy.dtype).tiny)
    return energy ** (power / 2.0)


def overlap_add(frames: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Frames [..., F, N], each ``hop_length`` after the one before, added: [..., at least N]."""
    count, size = frames.shape[-2:]
    turns = -(-size // hop_length)
    if turns * hop_length > size:
        frames = torch.nn.functional.pad(frames, (0, turns * hop_length - size))
    pieces = frames.unflatten(-1, (turns, hop_length))
    out = frames.new_zeros(*frames.shape[:-2], count + turns - 1, hop_length)
    for turn in range(turns):  # piece number ``turn`` of all frames lies side by side
        out[..., turn : turn + count, :] += pieces[..., turn, :]
    return out.flatten(-2)


def synthesise(
    spectra: torch.Tensor,
    window: torch.Tensor,
    hop_length: int,
    *,
    centred: bool = True,
    length: int | None = None,
    inside: torch.Tensor | None = None,
    onesided: bool = True,
) -> torch.Tensor:
    """The signal whose windowed frames are nearest to ``spectra`` (D. Griffin and J. Lim, 1984).

    Args:
        spectra: complex [..., F, n_fft // 2 + 1], or all n_fft bins with ``onesided`` False.
        window: [n_fft].
        centred: whether frame f is centred on sample f * hop_length, or starts there.
        length: of the result; None: all that the frames cover.
        inside: bool [..., F]: which frames count; None: all.

    Returns:
        [..., length]; 0 where no window reaches.
    """
    size = len(window)
    parts = torch.fft.irfft(spectra, size) if onesided else torch.fft.ifft(spectra).real
    parts = parts * window
    weights = window.square().expand(spectra.shape[-2], -1)
    if inside is not None:
        parts, weights = parts * inside[..., None], weights * inside[..., None]
    total, weight = overlap_add(parts, hop_length), overlap_add(weights, hop_length)
    heard = weight > _EMPTY
    signal = torch.where(heard, total / torch.where(heard, weight, 1), 0)
    first = size // 2 if centred else 0
    end = (spectra.shape[-2] - 1) * hop_length + size - first
    wanted = end - first if length is None else length
    signal = signal[..., first : first + wanted]
    return torch.nn.functional.pad(signal, (0, wanted - signal.shape[-1]))
