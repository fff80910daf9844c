"""Spectra of short frames: ``spectrogram``, ``inverse_spectrogram`` and ``spectral_centroid``."""

from __future__ import annotations

import torch

from domainkit.audio.functional.checks import check_floating, check_whole
from domainkit.audio.functional.framing import (
    centred_window,
    each_block,
    powers,
    signal_frames,
    synthesise,
)
from domainkit.errors import TransformError

__all__ = ["inverse_spectrogram", "spectral_centroid", "spectrogram"]

PAD_MODES = ("reflect", "constant", "replicate", "circular")
SCALINGS = ("window", "frame_length")


def spectrogram(  # noqa: PLR0917  # torchaudio's arguments
    waveform: torch.Tensor,
    pad: int,
    window: torch.Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    power: float | None,
    normalized: bool | str,
    center: bool = True,
    pad_mode: str = "reflect",
    onesided: bool = True,
    return_complex: bool | None = None,
) -> torch.Tensor:
    """The spectrum of every frame of a signal (short-time Fourier transform).

    Args:
        waveform: floating [..., T].
        pad: zeros put at both ends first.
        window: [win_length], of the waveform's dtype.
        n_fft: length of the transform, in samples.
        hop_length: samples from one frame to the next.
        win_length: length of the window, at most n_fft.
        power: 2 for energy, 1 for magnitude; None for complex numbers.
        normalized: divide by the root of the window's energy (True or "window") or of n_fft
            ("frame_length").
        center: frame f is centred on sample f * hop_length (else it starts there), which takes
            n_fft // 2 samples more at both ends.
        pad_mode: what these are: "reflect", "constant", "replicate" or "circular".
        onesided: only the n_fft // 2 + 1 bins that a real signal needs, else all n_fft.
        return_complex: has no effect, as in torchaudio.

    Returns:
        [..., bins, F], with F = 1 + (T + 2 * pad) // hop_length where ``center`` is true.

    Raises:
        TransformError: not a floating tensor, a signal too short for the padding or for a frame,
            an argument outside its range.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)
        >>> bins = spectrogram(tone, 0, torch.hann_window(400), 400, 160, 400, 2.0, False)
        >>> bins.shape, int(bins[:, 50].argmax()) * 16000 / 400
        (torch.Size([201, 101]), 1000.0)
    """
    check_floating("spectrogram", waveform)
    _check(
        "spectrogram",
        waveform,
        window,
        n_fft=n_fft,
        hop_length=hop_length,
        win_length=win_length,
        normalized=normalized,
    )
    if pad > 0:
        waveform = torch.nn.functional.pad(waveform, (pad, pad))
    _check_length(waveform.shape[-1], n_fft, center, pad_mode)
    shape = centred_window(window, n_fft)
    if normalized:
        shape = shape / _scale(window, n_fft, normalized)

    def spectra(frames: torch.Tensor) -> torch.Tensor:
        framed = frames * shape
        bins = torch.fft.rfft(framed) if onesided else torch.fft.fft(framed)
        return bins if power is None else powers(bins, power)

    frames = signal_frames(waveform, n_fft, hop_length, pad_mode if center else None)
    return each_block(frames, spectra).transpose(-1, -2)


def inverse_spectrogram(  # noqa: PLR0917  # torchaudio's arguments
    spectrogram: torch.Tensor,
    length: int | None,
    pad: int,
    window: torch.Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    normalized: bool | str,
    center: bool = True,
    pad_mode: str = "reflect",
    onesided: bool = True,
) -> torch.Tensor:
    """The signal of a complex ``spectrogram``; of a changed one, the nearest signal.

    Args:
        spectrogram: complex [..., bins, F].
        length: of the result, in samples; None: all that the frames cover.
        pad: how many zeros ``spectrogram`` put at both ends; they are cut off where ``length`` is
            given.
        window, n_fft, hop_length, win_length, normalized, center, onesided: what the spectrogram
            was made with.
        pad_mode: has no effect, as in torchaudio.

    Returns:
        [..., length]. A sample that no window reaches is 0, where torch.istft raises.

    Raises:
        TransformError: not complex, another number of bins, an argument outside its range.

    Example:
        >>> x, how = torch.rand(1000), (torch.hann_window(400), 400, 100, 400)
        >>> back = inverse_spectrogram(spectrogram(x, 0, *how, None, False), 1000, 0, *how, False)
        >>> bool((back - x).abs().max() < 1e-5)
        True
    """
    if not (isinstance(spectrogram, torch.Tensor) and spectrogram.is_complex()):
        got = getattr(spectrogram, "dtype", type(spectrogram).__name__)
        raise TransformError(
            f"inverse_spectrogram takes a complex spectrogram [..., bins, F], got {got}: make it "
            "with power=None, or use griffinlim"
        )
    _check(
        "inverse_spectrogram",
        spectrogram,
        window,
        n_fft=n_fft,
        hop_length=hop_length,
        win_length=win_length,
        normalized=normalized,
    )
    bins = n_fft // 2 + 1 if onesided else n_fft
    if spectrogram.ndim < 2 or spectrogram.shape[-2] != bins:
        raise TransformError(
            f"inverse_spectrogram: n_fft={n_fft} has {bins} bins, got {tuple(spectrogram.shape)}"
        )
    if normalized:
        spectrogram = spectrogram * _scale(window, n_fft, normalized)
    signal = synthesise(
        spectrogram.transpose(-1, -2),
        centred_window(window, n_fft),
        hop_length,
        centred=center,
        length=None if length is None else length + 2 * pad,
        onesided=onesided,
    )
    return signal[..., pad : pad + length] if length is not None else signal


def spectral_centroid(  # noqa: PLR0917  # torchaudio's arguments
    waveform: torch.Tensor,
    sample_rate: int,
    pad: int,
    window: torch.Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
) -> torch.Tensor:
    """The mean frequency of every frame, in Hz, weighted by the magnitudes.

    Args are those of ``spectrogram``.

    Returns:
        [..., F]; 0 for a silent frame, where torchaudio gives NaN.

    Raises:
        TransformError: as ``spectrogram``.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)
        >>> hertz = spectral_centroid(tone, 16000, 0, torch.hann_window(400), 400, 160, 400)
        >>> round(float(hertz[50]), -1)
        1000.0
    """
    bins = spectrogram(waveform, pad, window, n_fft, hop_length, win_length, 1.0, False)
    top = sample_rate // 2
    hertz = torch.linspace(0, top, 1 + n_fft // 2, dtype=bins.dtype, device=bins.device)
    weight = bins.sum(-2)
    loud = weight > 0
    return torch.where(loud, (hertz[:, None] * bins).sum(-2) / torch.where(loud, weight, 1), 0)


def _scale(window: torch.Tensor, n_fft: int, normalized: bool | str) -> torch.Tensor | float:
    return n_fft**0.5 if normalized == "frame_length" else window.square().sum().sqrt()


def _check(
    name: str,
    x: torch.Tensor,
    window: torch.Tensor,
    *,
    n_fft: int,
    hop_length: int,
    win_length: int,
    normalized: bool | str,
) -> None:
    check_whole(name, "n_fft", n_fft, 1)
    check_whole(name, "hop_length", hop_length, 1)
    check_whole(name, "win_length", win_length, 1)
    if win_length > n_fft or window.shape != (win_length,):
        raise TransformError(
            f"{name} takes a window [win_length] of at most n_fft = {n_fft} samples, got "
            f"win_length={win_length} and a window {tuple(window.shape)}"
        )
    if window.device != x.device:
        raise TransformError(
            f"{name}: the window is on {window.device}, the signal on {x.device}: move it there"
        )
    if isinstance(normalized, str) and normalized not in SCALINGS:
        raise TransformError(
            f"{name}: normalized is True, False, 'window' or 'frame_length', got {normalized!r}"
        )


def _check_length(length: int, n_fft: int, center: bool, pad_mode: str) -> None:
    if center and pad_mode not in PAD_MODES:
        raise TransformError(
            f"spectrogram: pad_mode is one of {', '.join(PAD_MODES)}, got {pad_mode!r}"
        )
    half = n_fft // 2
    least = {"reflect": half + 1, "circular": half, "replicate": 1}.get(pad_mode, 0)
    least = least if center else n_fft
    if length < least:
        raise TransformError(
            f"spectrogram of n_fft={n_fft}, center={center}, pad_mode={pad_mode!r} needs {least} "
            f"samples, got {length}: take pad_mode='constant' or pad the signal"
        )
