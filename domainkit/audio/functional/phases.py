"""``griffinlim`` finds phases for magnitudes, ``phase_vocoder`` carries them to another speed."""

from __future__ import annotations

import math

import torch

from domainkit.audio.functional.checks import check_floating, check_whole
from domainkit.audio.functional.framing import centred_window, signal_frames, synthesise
from domainkit.errors import TransformError

__all__ = ["griffinlim", "phase_vocoder", "search_phases"]

_TINY = 1e-16


def griffinlim(  # noqa: PLR0917  # torchaudio's arguments
    specgram: torch.Tensor,
    window: torch.Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    power: float,
    n_iter: int,
    momentum: float,
    length: int | None,
    rand_init: bool,
) -> torch.Tensor:
    """A signal with these magnitudes.

    Method: D. Griffin and J. Lim, 1984, quickened as by N. Perraudin, P. Balazs and P. Sondergaard,
    "A fast Griffin-Lim algorithm" (WASPAA 2013).

    Args:
        specgram: floating [..., bins, F], of ``spectrogram`` with center=True.
        window: [win_length].
        n_fft, hop_length, win_length: what the spectrogram was made with.
        power: 2 of energies, 1 of magnitudes.
        n_iter: rounds.
        momentum: in [0, 1); 0 is the method of 1984.
        length: of the result, in samples; None: all that the frames cover.
        rand_init: start from random phases (torch's generator), else from 0.

    Returns:
        [..., T].

    Raises:
        TransformError: not a floating tensor, another number of bins, an argument outside its
            range.

    Example:
        >>> how = (torch.hann_window(400), 400, 100, 400)
        >>> tone = torch.sin(2 * torch.pi * 1000 * torch.arange(8000) / 16000)
        >>> bins = tone.unfold(0, 400, 100).mul(how[0]).T
        >>> griffinlim(torch.fft.rfft(bins, dim=0).abs(), *how, 1.0, 8, 0.99, None, False).shape
        torch.Size([7600])
    """
    check_floating("griffinlim", specgram, what="a spectrogram [..., bins, F]")
    check_whole("griffinlim", "n_iter", n_iter, 0)
    if not 0 <= momentum < 1:
        raise TransformError(f"griffinlim needs momentum in [0, 1), got {momentum}")
    if specgram.ndim < 2 or specgram.shape[-2] != n_fft // 2 + 1:
        raise TransformError(
            f"griffinlim: n_fft={n_fft} has {n_fft // 2 + 1} bins, got {tuple(specgram.shape)}"
        )
    bins, frames = specgram.shape[-2:]
    if length is not None and 1 + length // hop_length != frames:
        raise TransformError(
            f"griffinlim: {length} samples with hop_length={hop_length} have "
            f"{1 + length // hop_length} frames, got {frames}: cut the result instead"
        )
    magnitudes = specgram.reshape(-1, bins, frames).pow(1 / power)
    if rand_init:
        whole = torch.complex64 if specgram.dtype == torch.float32 else torch.complex128
        angles = torch.rand(magnitudes.shape, dtype=whole, device=specgram.device)
    else:
        angles = torch.complex(torch.ones_like(magnitudes), torch.zeros_like(magnitudes))
    signal = search_phases(
        magnitudes.transpose(1, 2),
        angles.transpose(1, 2),
        centred_window(window, n_fft),
        hop_length=hop_length,
        n_iter=n_iter,
        momentum=momentum,
        length=length,
    )
    return signal.view(*specgram.shape[:-2], -1)


def search_phases(
    magnitudes: torch.Tensor,
    angles: torch.Tensor,
    window: torch.Tensor,
    *,
    hop_length: int,
    n_iter: int,
    momentum: float,
    length: int | None,
) -> torch.Tensor:
    """The rounds of ``griffinlim``, frames first: [R, F, bins] and a window [n_fft] -> [R, T]."""
    step = momentum / (1 + momentum)
    before = None
    for _ in range(n_iter):
        signal = synthesise(magnitudes * angles, window, hop_length, length=length)
        rebuilt = torch.fft.rfft(signal_frames(signal, len(window), hop_length, "reflect") * window)
        angles = rebuilt if before is None or not step else rebuilt - step * before
        angles = angles / (angles.abs() + _TINY)
        before = rebuilt
    return synthesise(magnitudes * angles, window, hop_length, length=length)


def phase_vocoder(
    complex_specgrams: torch.Tensor, rate: float, phase_advance: torch.Tensor
) -> torch.Tensor:
    """A spectrogram at another speed, the pitch kept.

    Method: J. Flanagan and R. Golden, "Phase Vocoder", 1966. New frame m lies at m * rate among the
    old ones. Its magnitude is between those of the two neighbours; its phase is that of the frame
    before, carried on by what the old phase went on between the two.

    Args:
        complex_specgrams: complex [..., bins, F].
        rate: above 1 is quicker and shorter.
        phase_advance: [bins, 1], what the phase of each bin goes on by in a frame at the least,
            pi * hop_length * bin / (bins - 1).

    Returns:
        complex [..., bins, ceil(F / rate)].

    Raises:
        TransformError: not complex, a rate not above 0.

    Example:
        >>> x = torch.rand(5, 9, dtype=torch.complex64)
        >>> phase_vocoder(x, 2.0, torch.linspace(0, 2 * torch.pi, 5)[:, None]).shape
        torch.Size([5, 5])
    """
    if not (isinstance(complex_specgrams, torch.Tensor) and complex_specgrams.is_complex()):
        got = getattr(complex_specgrams, "dtype", type(complex_specgrams).__name__)
        raise TransformError(f"phase_vocoder takes complex [..., bins, F], got {got}")
    if not rate > 0:
        raise TransformError(f"phase_vocoder needs a rate above 0, got {rate}")
    if rate == 1.0:
        return complex_specgrams
    x, frames = complex_specgrams, complex_specgrams.shape[-1]
    real = x.real.dtype
    at = torch.arange(0, frames, rate, dtype=real, device=x.device)
    before = at.long()
    share = at - before
    x = torch.nn.functional.pad(x, (0, 2))
    size, phase = x.abs(), x.angle()
    low, high = size[..., before], size[..., before + 1]
    turn = phase[..., before + 1] - phase[..., before] - phase_advance
    turn = turn - 2 * math.pi * torch.round(turn / (2 * math.pi)) + phase_advance
    total = torch.cat([phase[..., :1], turn[..., :-1]], -1).cumsum(-1)
    return torch.polar(low + share * (high - low), total)
