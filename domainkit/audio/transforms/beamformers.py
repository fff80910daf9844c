"""Modules of several tensors, with torchaudio's calls: ``PSD``, ``MVDR`` and ``RNNTLoss``.

They are no steps of a pipeline. For the methods see ``domainkit.audio.functional.beamforming`` and
``domainkit.audio.functional.rnnt_loss``.
"""

from __future__ import annotations

import torch

from domainkit.audio.functional.beamforming import (
    apply_beamforming,
    mvdr_weights_rtf,
    mvdr_weights_souden,
    psd,
    rtf_evd,
    rtf_power,
)
from domainkit.audio.functional.transducer import rnnt_loss
from domainkit.errors import TransformError

__all__ = ["MVDR", "PSD", "RNNTLoss", "RTFMVDR", "SoudenMVDR"]

SOLUTIONS = ("ref_channel", "stv_evd", "stv_power")


class PSD(torch.nn.Module):
    """The covariance of the channels in every bin; see ``functional.psd``.

    Args:
        multi_mask: masks are [..., C, F, T], one for each channel, and averaged.
        normalize, eps: as of ``functional.psd``.

    Example:
        >>> PSD()(torch.ones(2, 3, 4, dtype=torch.complex64)).shape
        torch.Size([3, 2, 2])
    """

    def __init__(
        self, multi_mask: bool = False, normalize: bool = True, eps: float = 1e-15
    ) -> None:
        super().__init__()
        self.multi_mask, self.normalize, self.eps = multi_mask, normalize, eps

    def forward(self, specgram: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if mask is not None and self.multi_mask:
            if mask.shape[-3:] != specgram.shape[-3:]:
                raise TransformError(
                    "PSD: with multi_mask a mask is [..., C, F, T] of "
                    f"{tuple(specgram.shape[-3:])}, got {tuple(mask.shape)}"
                )
            mask = mask.mean(-3)
        return psd(specgram, mask, self.normalize, self.eps)


class SoudenMVDR(torch.nn.Module):
    """Speech from covariances of speech and noise, by ``functional.mvdr_weights_souden``.

    Example:
        >>> x, one = torch.ones(2, 3, 4, dtype=torch.cfloat), torch.eye(2, dtype=torch.cfloat)
        >>> SoudenMVDR()(x, one.expand(3, 2, 2), one.expand(3, 2, 2), 0).shape
        torch.Size([3, 4])
    """

    def forward(  # noqa: PLR0917  # torchaudio's arguments
        self,
        specgram: torch.Tensor,
        psd_s: torch.Tensor,
        psd_n: torch.Tensor,
        reference_channel: int | torch.Tensor,
        diagonal_loading: bool = True,
        diag_eps: float = 1e-7,
        eps: float = 1e-8,
    ) -> torch.Tensor:
        weights = mvdr_weights_souden(
            psd_s, psd_n, reference_channel, diagonal_loading, diag_eps, eps
        )
        return apply_beamforming(weights, specgram)


class RTFMVDR(torch.nn.Module):
    """Speech from a relative transfer function, by ``functional.mvdr_weights_rtf``.

    Example:
        >>> x, one = torch.ones(2, 3, 4, dtype=torch.cfloat), torch.eye(2, dtype=torch.cfloat)
        >>> RTFMVDR()(x, torch.ones(3, 2, dtype=torch.cfloat), one.expand(3, 2, 2), 0).shape
        torch.Size([3, 4])
    """

    def forward(  # noqa: PLR0917  # torchaudio's arguments
        self,
        specgram: torch.Tensor,
        rtf: torch.Tensor,
        psd_n: torch.Tensor,
        reference_channel: int | torch.Tensor,
        diagonal_loading: bool = True,
        diag_eps: float = 1e-7,
        eps: float = 1e-8,
    ) -> torch.Tensor:
        weights = mvdr_weights_rtf(rtf, psd_n, reference_channel, diagonal_loading, diag_eps, eps)
        return apply_beamforming(weights, specgram)


class MVDR(torch.nn.Module):
    """Speech from masks of speech and of noise. It is worked on in double precision.

    Args:
        ref_channel: number of the microphone as which speech should sound.
        solution: "ref_channel" (Souden), or by a steering vector: "stv_evd", "stv_power".
        multi_mask: masks are [..., C, F, T], one for each channel.
        diag_loading, diag_eps: as of ``functional.mvdr_weights_souden``.
        online: go on from call to call, as if what was heard before belonged to the recording:
            covariances are weighted by what the masks heard. torchaudio weights a new call by 1.
            ``reset()`` before another recording; ``state_dict`` does not hold what was heard.

    Raises:
        TransformError: another solution; not a complex spectrogram.

    Example:
        >>> x = torch.ones(2, 3, 4, dtype=torch.complex64)
        >>> MVDR()(x, torch.full((3, 4), 0.5)).shape
        torch.Size([3, 4])
    """

    def __init__(  # noqa: PLR0917  # torchaudio's arguments
        self,
        ref_channel: int = 0,
        solution: str = "ref_channel",
        multi_mask: bool = False,
        diag_loading: bool = True,
        diag_eps: float = 1e-7,
        online: bool = False,
    ) -> None:
        super().__init__()
        if solution not in SOLUTIONS:
            raise TransformError(
                f"MVDR: solution is one of {', '.join(SOLUTIONS)}, got {solution!r}"
            )
        self.ref_channel, self.solution, self.online = ref_channel, solution, online
        self.diag_loading, self.diag_eps = diag_loading, diag_eps
        self.multi_mask = multi_mask
        self._psd = PSD(multi_mask)
        self._heard: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def forward(
        self, specgram: torch.Tensor, mask_s: torch.Tensor, mask_n: torch.Tensor | None = None
    ) -> torch.Tensor:
        """[..., C, F, T] and masks [..., F, T] -> [..., F, T]; mask_n None: 1 - mask_s."""
        x = specgram.to(torch.complex128)
        other = 1 - mask_s if mask_n is None else mask_n
        speech, noise = (
            self._covariance(name, x, mask) for name, mask in (("s", mask_s), ("n", other))
        )
        how = (self.diag_loading, self.diag_eps)
        if self.solution == "ref_channel":
            weights = mvdr_weights_souden(speech, noise, self.ref_channel, *how)
        else:
            if self.solution == "stv_evd":
                steering = rtf_evd(speech)
            else:
                steering = rtf_power(speech, noise, self.ref_channel, 3, *how)
            weights = mvdr_weights_rtf(steering, noise, self.ref_channel, *how)
        return apply_beamforming(weights, x).to(specgram.dtype)

    def reset(self) -> None:
        """Forget what was heard ``online``: the next call begins another recording."""
        self._heard.clear()

    def _covariance(self, name: str, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        mask = mask.to(x.real.dtype)
        made = self._psd(x, mask)
        if not self.online:
            return made
        if self.multi_mask:
            mask = mask.mean(-3)
        heard = mask.sum(-1)
        if name in self._heard:
            before, weight = (v.to(made.device) for v in self._heard[name])
            if before.shape != made.shape:
                raise TransformError(
                    f"MVDR: online goes on with covariances {tuple(before.shape)}, got "
                    f"{tuple(made.shape)}: call reset() before another recording"
                )
            total = weight + heard
            part = (heard / total.clamp(min=self._psd.eps))[..., None, None]
            made, heard = before + part * (made - before), total
        # gradients stay within a call
        self._heard[name] = (made.detach(), heard.detach())
        return made


class RNNTLoss(torch.nn.Module):
    """``functional.rnnt_loss`` as a module, with its arguments.

    Example:
        >>> loss = RNNTLoss()(
        ...     torch.zeros(1, 2, 2, 3), torch.tensor([[1]]), torch.tensor([2]), torch.tensor([1])
        ... )
        >>> round(float(loss), 3)  # two ways, of three steps in three classes each
        2.603
    """

    def __init__(
        self,
        blank: int = -1,
        clamp: float = -1.0,
        reduction: str = "mean",
        fused_log_softmax: bool = True,
    ) -> None:
        super().__init__()
        self.blank, self.clamp, self.reduction = blank, clamp, reduction
        self.fused_log_softmax = fused_log_softmax

    def forward(
        self,
        logits: torch.Tensor,
        targets: torch.Tensor,
        logit_lengths: torch.Tensor,
        target_lengths: torch.Tensor,
    ) -> torch.Tensor:
        return rnnt_loss(
            logits, targets, logit_lengths, target_lengths,
            self.blank, self.clamp, self.reduction, self.fused_log_softmax,
        )  # fmt: skip
