"""``RandomInvert`` and others that map levels to levels, by a coin per picture.

They are also ``RandomSolarize``, ``-Posterize``, ``-Autocontrast`` and ``-Equalize``. The work
itself is in ``levels.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.vision.transforms._program import Code, Colored, Program

__all__ = [
    "RandomAutocontrast",
    "RandomEqualize",
    "RandomInvert",
    "RandomPosterize",
    "RandomSolarize",
    "check_probability",
    "sometimes",
]


def check_probability(op: Any, p: Any) -> None:
    """TransformError unless ``p`` is in [0, 1]."""
    if not isinstance(p, (int, float)) or not 0 <= p <= 1:
        raise TransformError(f"{type(op).__name__}: p must be in [0, 1], got {p!r}")


def sometimes(draws: Draws, p: float, code: Code, amount: float = 0.0) -> Program:
    """``code`` for the samples whose first draw is below ``p``, nothing for the others."""
    chosen = draws.uniform(1, device="cpu") < p
    codes = torch.where(chosen, int(code), int(Code.NONE))
    return Program(codes, torch.full(codes.shape, float(amount)))


@dataclass(frozen=True)
class RandomInvert(Colored):
    """Make a negative of every picture with probability ``p``, each by a draw of its own.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form.

    Args:
        p: probability in [0, 1].

    Exactness: equal to ``torchvision.transforms.v2.functional.invert``.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> RandomInvert(1.0)(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).tolist()
        [[[[255, 0]]]]
    """

    p: float = 0.5

    random: ClassVar[bool] = True
    codes: ClassVar[tuple[int, ...]] = (Code.INVERT,)

    def __post_init__(self) -> None:
        check_probability(self, self.p)

    def program(self, draws: Draws, dtype: torch.dtype) -> Program:
        return sometimes(draws, self.p, Code.INVERT)


@dataclass(frozen=True)
class RandomSolarize(Colored):
    """Invert all values from ``threshold`` on, in every picture with probability ``p``.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form.

    Args:
        threshold: in the unit of the pixels, at most 255 (uint8) or 1 (floating).
        p: probability in [0, 1].

    Exactness: equal to ``torchvision.transforms.v2.functional.solarize``.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels; a threshold above the
            largest value of the pictures' dtype.

    Example:
        >>> x = torch.tensor([[[[0, 100, 200]]]], dtype=torch.uint8)
        >>> RandomSolarize(128, p=1.0)(x).tolist()
        [[[[0, 100, 55]]]]
    """

    threshold: float
    p: float = 0.5

    random: ClassVar[bool] = True
    codes: ClassVar[tuple[int, ...]] = (Code.SOLARIZE,)

    def __post_init__(self) -> None:
        if not isinstance(self.threshold, (int, float)):
            raise TransformError(
                f"RandomSolarize: threshold must be a number, got {self.threshold!r}"
            )
        check_probability(self, self.p)

    def program(self, draws: Draws, dtype: torch.dtype) -> Program:
        top = 255 if dtype == torch.uint8 else 1
        if self.threshold > top:
            raise TransformError(
                f"RandomSolarize: threshold is in the unit of the pixels, at most {top} for "
                f"{str(dtype).removeprefix('torch.')} pictures, got {self.threshold!r}"
            )
        return sometimes(draws, self.p, Code.SOLARIZE, self.threshold)


@dataclass(frozen=True)
class RandomPosterize(Colored):
    """Keep the upper ``bits`` of all values, in every picture with probability ``p``.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form.

    Args:
        bits: a whole number in 0..8. Floating pictures come to have 2 ** bits levels.
        p: probability in [0, 1].

    Exactness: equal to ``torchvision.transforms.v2.functional.posterize``.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> x = torch.tensor([[[[0, 100, 200]]]], dtype=torch.uint8)
        >>> RandomPosterize(2, p=1.0)(x).tolist()
        [[[[0, 64, 192]]]]
    """

    bits: int
    p: float = 0.5

    random: ClassVar[bool] = True
    codes: ClassVar[tuple[int, ...]] = (Code.POSTERIZE,)

    def __post_init__(self) -> None:
        if type(self.bits) is not int or not 0 <= self.bits <= 8:
            raise TransformError(
                f"RandomPosterize: bits must be a whole number in 0..8, got {self.bits!r}"
            )
        check_probability(self, self.p)

    def program(self, draws: Draws, dtype: torch.dtype) -> Program:
        return sometimes(draws, self.p, Code.POSTERIZE, self.bits)


@dataclass(frozen=True)
class RandomAutocontrast(Colored):
    """Stretch every channel to the whole range, in every picture with probability ``p``.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. A channel of one value stays.

    Args:
        p: probability in [0, 1].

    Exactness: equal to ``torchvision.transforms.v2.functional.autocontrast``; float16 and bfloat16
    are worked on in float32.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> RandomAutocontrast(p=1.0)(torch.tensor([[[[0.25, 0.375, 0.5]]]])).tolist()
        [[[[0.0, 0.5, 1.0]]]]
    """

    p: float = 0.5

    random: ClassVar[bool] = True
    codes: ClassVar[tuple[int, ...]] = (Code.AUTOCONTRAST,)

    def __post_init__(self) -> None:
        check_probability(self, self.p)

    def program(self, draws: Draws, dtype: torch.dtype) -> Program:
        return sometimes(draws, self.p, Code.AUTOCONTRAST)


@dataclass(frozen=True)
class RandomEqualize(Colored):
    """Spread the levels of every channel evenly, in every picture with probability ``p``.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. Floating pictures come to have 256 levels.

    Args:
        p: probability in [0, 1].

    Exactness: equal to ``torchvision.transforms.v2.functional.equalize``; float16 and bfloat16 are
    worked on in float32.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> dark = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4).repeat(1, 1, 16, 16)
        >>> RandomEqualize(p=1.0)(dark).unique().tolist()[:4]
        [0, 17, 34, 51]
    """

    p: float = 0.5

    random: ClassVar[bool] = True
    codes: ClassVar[tuple[int, ...]] = (Code.EQUALIZE,)

    def __post_init__(self) -> None:
        check_probability(self, self.p)

    def program(self, draws: Draws, dtype: torch.dtype) -> Program:
        return sometimes(draws, self.p, Code.EQUALIZE)
