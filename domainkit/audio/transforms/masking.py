"""``FrequencyMasking`` and ``TimeMasking``: one mask for each recording, of its own."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from domainkit.audio.transforms.spec_augment import SpecAugment
from domainkit.draws import Draws
from domainkit.transform import Transform

__all__ = ["FrequencyMasking", "TimeMasking"]


class _Masking(Transform):
    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._masks()  # says what is wrong

    def _masks(self) -> SpecAugment:
        raise NotImplementedError

    def apply(self, x: Any, draws: Draws) -> Any:
        return self._masks().apply(x, draws)


@dataclass(frozen=True)
class FrequencyMasking(_Masking):
    """Put ``mask_value`` into some neighbouring bands, drawn anew for each recording.

    Input and output: float32 or float64 features, dense [B, T, M] or ``Ragged`` items [T_i, M].
    The method is that of ``SpecAugment``, which does several masks in one pass.

    Args:
        freq_mask_param: a mask is at most so many bands wide.
        mask_value: what is put there.

    Raises:
        TransformError: a width below 0; another dtype or shape.

    Example:
        >>> import torch
        >>> x = FrequencyMasking(4)(torch.ones(2, 5, 10))
        >>> bool((x == x[:, :1]).all())
        True
    """

    freq_mask_param: int
    _: KW_ONLY
    mask_value: float = 0.0

    def _masks(self) -> SpecAugment:
        return SpecAugment(1, self.freq_mask_param, 0, 0, fill=self.mask_value)


@dataclass(frozen=True)
class TimeMasking(_Masking):
    """Put ``mask_value`` into some neighbouring frames, drawn anew for each recording.

    Input and output: as of ``FrequencyMasking``.

    Args:
        time_mask_param: a mask is at most so many frames wide.
        p: and at most this part of the recording, in [0, 1].
        mask_value: what is put there.

    Raises:
        TransformError: a width below 0, p outside [0, 1]; another dtype or shape.

    Example:
        >>> import torch
        >>> x = TimeMasking(3, p=0.2)(torch.ones(2, 10, 4))
        >>> bool(((x == 0).sum(1) <= 2).all())
        True
    """

    time_mask_param: int
    _: KW_ONLY
    p: float = 1.0
    mask_value: float = 0.0

    def _masks(self) -> SpecAugment:
        return SpecAugment(0, 0, 1, self.time_mask_param, self.p, self.mask_value)
