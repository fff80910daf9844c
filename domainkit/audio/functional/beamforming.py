"""Beamforming: several microphones listen to one direction.

Sources of the methods: M. Souden, J. Benesty and S. Affes, "On optimal frequency-domain
multichannel linear filtering for noise reduction" (IEEE TASLP 18, 2010); the relative transfer
function by eigenvalues, T. Higuchi et al. (ICASSP 2016), and by power iteration, R. von Mises and
H. Pollaczek-Geiringer, 1929. Names, arguments and numbers are torchaudio's.

A spectrogram is complex [..., C, F, T]: channels, bins, frames. A covariance is [..., F, C, C].
"""

from __future__ import annotations

from typing import Any

import torch

from domainkit.audio.functional.checks import check_whole
from domainkit.errors import TransformError

__all__ = [
    "apply_beamforming",
    "mvdr_weights_rtf",
    "mvdr_weights_souden",
    "psd",
    "rtf_evd",
    "rtf_power",
]


def psd(
    specgram: torch.Tensor,
    mask: torch.Tensor | None = None,
    normalize: bool = True,
    eps: float = 1e-10,
) -> torch.Tensor:
    """The covariance of the channels in every bin, over time.

    Args:
        specgram: complex [..., C, F, T].
        mask: floating [..., F, T]: how much each place counts; None: all the same.
        normalize: let the mask add up to 1 over time.
        eps: added to that sum.

    Returns:
        complex [..., F, C, C].

    Raises:
        TransformError: not a complex tensor of three dimensions; a mask of another shape.

    Example:
        >>> x = torch.ones(2, 3, 4, dtype=torch.complex64)
        >>> psd(x, torch.ones(3, 4)).real[0].round()
        tensor([[1., 1.],
                [1., 1.]])
    """
    _check_spectrogram("psd", specgram)
    x = specgram.transpose(-3, -2)  # [..., F, C, T]
    if mask is None:
        return x @ x.mH
    if not isinstance(mask, torch.Tensor) or mask.shape[-2:] != specgram.shape[-2:]:
        raise TransformError(
            f"psd takes a mask [..., F, T] of {tuple(specgram.shape[-2:])}, got {_told(mask)}"
        )
    if normalize:
        mask = mask / (mask.sum(-1, keepdim=True) + eps)
    return (x * mask[..., None, :]) @ x.mH


def mvdr_weights_souden(  # noqa: PLR0917  # torchaudio's arguments
    psd_s: torch.Tensor,
    psd_n: torch.Tensor,
    reference_channel: int | torch.Tensor,
    diagonal_loading: bool = True,
    diag_eps: float = 1e-7,
    eps: float = 1e-8,
) -> torch.Tensor:
    """Weights that leave speech as a reference microphone hears it, and the least noise (MVDR).

    Args:
        psd_s, psd_n: complex [..., F, C, C], of speech and of noise.
        reference_channel: its number, or [..., C] with a 1 in its place.
        diagonal_loading: add ``diag_eps`` of its trace to the noise's diagonal, so that it can be
            divided by.
        eps: added to what is divided by.

    Returns:
        complex [..., F, C].

    Raises:
        TransformError: not complex, or shapes that do not belong together.

    Example:
        >>> one = torch.eye(2, dtype=torch.complex128)[None]
        >>> mvdr_weights_souden(one, one, 0).real.round(decimals=4)
        tensor([[0.5000, 0.0000]], dtype=torch.float64)
    """
    _check_covariances("mvdr_weights_souden", psd_s, psd_n)
    noise = _loaded(psd_n, diag_eps) if diagonal_loading else psd_n
    ratio = torch.linalg.solve(noise, psd_s)
    ratio = ratio / (_trace(ratio)[..., None, None] + eps)
    return _column("mvdr_weights_souden", ratio, reference_channel)


def mvdr_weights_rtf(  # noqa: PLR0917  # torchaudio's arguments
    rtf: torch.Tensor,
    psd_n: torch.Tensor,
    reference_channel: int | torch.Tensor | None = None,
    diagonal_loading: bool = True,
    diag_eps: float = 1e-7,
    eps: float = 1e-8,
) -> torch.Tensor:
    """The same from a relative transfer function (a steering vector).

    Args:
        rtf: complex [..., F, C].
        psd_n: complex [..., F, C, C], of noise.
        reference_channel: its number, or [..., C] with a 1 in its place; None: leave the scale
            as it is.
        diagonal_loading, diag_eps, eps: as of ``mvdr_weights_souden``.

    Returns:
        complex [..., F, C].

    Raises:
        TransformError: not complex, or shapes that do not belong together.

    Example:
        >>> steering = torch.tensor([[1.0, -1.0]], dtype=torch.complex128)
        >>> mvdr_weights_rtf(steering, torch.eye(2, dtype=torch.complex128)[None]).real
        tensor([[ 0.5000, -0.5000]], dtype=torch.float64)
    """
    _check_covariances("mvdr_weights_rtf", psd_n)
    if not _is_complex(rtf, 2) or rtf.shape[-2:] != psd_n.shape[-3:-1]:
        raise TransformError(
            f"mvdr_weights_rtf takes a complex rtf [..., F, C] of {tuple(psd_n.shape[-3:-1])}, got "
            f"{_told(rtf)}"
        )
    noise = _loaded(psd_n, diag_eps) if diagonal_loading else psd_n
    weights = torch.linalg.solve(noise, rtf[..., None])[..., 0]
    weights = weights / ((rtf.conj() * weights).sum(-1).real[..., None] + eps)
    if reference_channel is None:
        return weights
    heard = _column("mvdr_weights_rtf", rtf[..., None, :], reference_channel)
    return weights * heard.conj()


def rtf_evd(psd_s: torch.Tensor) -> torch.Tensor:
    """The relative transfer function as the covariance's strongest direction.

    Args:
        psd_s: complex [..., F, C, C], of speech.

    Returns:
        complex [..., F, C], of length 1.

    Raises:
        TransformError: not complex square matrices.

    Example:
        >>> x = torch.tensor([[[4.0, 0.0], [0.0, 1.0]]], dtype=torch.complex64)
        >>> rtf_evd(x).abs()
        tensor([[1., 0.]])
    """
    _check_covariances("rtf_evd", psd_s)
    return torch.linalg.eigh(psd_s).eigenvectors[..., -1]


def rtf_power(  # noqa: PLR0917  # torchaudio's arguments
    psd_s: torch.Tensor,
    psd_n: torch.Tensor,
    reference_channel: int | torch.Tensor,
    n_iter: int = 3,
    diagonal_loading: bool = True,
    diag_eps: float = 1e-7,
) -> torch.Tensor:
    """The relative transfer function by power iteration.

    Args:
        psd_s, psd_n: complex [..., F, C, C], of speech and of noise.
        reference_channel: its number, or [..., C] with a 1 in its place.
        n_iter: rounds, at least 1.
        diagonal_loading, diag_eps: as of ``mvdr_weights_souden``.

    Returns:
        complex [..., F, C].

    Raises:
        TransformError: not complex, or shapes that do not belong together; no round.

    Example:
        >>> one = torch.eye(2, dtype=torch.complex128)[None]
        >>> rtf_power(one, one, 0).real.round(decimals=4)
        tensor([[1., 0.]], dtype=torch.float64)
    """
    _check_covariances("rtf_power", psd_s, psd_n)
    check_whole("rtf_power", "n_iter", n_iter, 1)
    noise = _loaded(psd_n, diag_eps) if diagonal_loading else psd_n
    ratio = torch.linalg.solve(noise, psd_s)
    rtf = _column("rtf_power", ratio, reference_channel)[..., None]
    for _ in range(n_iter - 2):
        rtf = ratio @ rtf
    return ((psd_s if n_iter > 1 else noise) @ rtf)[..., 0]


def apply_beamforming(beamform_weights: torch.Tensor, specgram: torch.Tensor) -> torch.Tensor:
    """One channel of many: the sum of ``conj(weight) * channel``.

    Args:
        beamform_weights: complex [..., F, C].
        specgram: complex [..., C, F, T].

    Returns:
        complex [..., F, T].

    Raises:
        TransformError: not complex, or shapes that do not belong together.

    Example:
        >>> half = torch.full((3, 2), 0.5, dtype=torch.complex64)
        >>> apply_beamforming(half, torch.ones(2, 3, 4, dtype=torch.complex64)).real[0]
        tensor([1., 1., 1., 1.])
    """
    _check_spectrogram("apply_beamforming", specgram)
    channels, bins = specgram.shape[-3:-1]
    if not _is_complex(beamform_weights, 2) or beamform_weights.shape[-2:] != (bins, channels):
        raise TransformError(
            f"apply_beamforming takes complex weights [..., F, C] of {(bins, channels)}, got "
            f"{_told(beamform_weights)}"
        )
    x = specgram.transpose(-3, -2)
    return (beamform_weights.conj()[..., None, :] @ x)[..., 0, :]


def _column(name: str, matrix: torch.Tensor, reference: int | torch.Tensor) -> torch.Tensor:
    """[..., N, C] -> the reference's column [..., N]."""
    channels = matrix.shape[-1]
    if isinstance(reference, int):
        if not -channels <= reference < channels:
            raise TransformError(f"{name}: there are {channels} channels, got number {reference}")
        return matrix[..., reference]
    if not isinstance(reference, torch.Tensor) or reference.shape[-1:] != (channels,):
        raise TransformError(
            f"{name}: reference_channel is a number or [..., {channels}], got {_told(reference)}"
        )
    return (matrix * reference.to(matrix.dtype)[..., None, None, :]).sum(-1)


def _trace(matrix: torch.Tensor) -> torch.Tensor:
    return matrix.diagonal(dim1=-2, dim2=-1).sum(-1)


def _loaded(matrix: torch.Tensor, part: float) -> torch.Tensor:
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return matrix + (_trace(matrix).real[..., None, None] * part + 1e-8) * eye


def _check_spectrogram(name: str, x: Any) -> None:
    if not _is_complex(x, 3):
        raise TransformError(
            f"{name} takes a complex spectrogram [..., C, F, T], got {_told(x)}: make it with "
            "spectrogram(..., power=None)"
        )


def _check_covariances(name: str, *matrices: Any) -> None:
    for m in matrices:
        if not _is_complex(m, 3) or m.shape[-1] != m.shape[-2]:
            raise TransformError(
                f"{name} takes complex covariances [..., F, C, C], of psd; got {_told(m)}"
            )
    if len({m.shape for m in matrices}) > 1:
        shapes = " and ".join(str(tuple(m.shape)) for m in matrices)
        raise TransformError(f"{name}: covariances are of one shape, got {shapes}")


def _is_complex(x: Any, dimensions: int) -> bool:
    return isinstance(x, torch.Tensor) and x.is_complex() and x.ndim >= dimensions


def _told(x: Any) -> str:
    return f"{x.dtype} {tuple(x.shape)}" if isinstance(x, torch.Tensor) else type(x).__name__
