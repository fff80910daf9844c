"""``Program``: the colour steps of a batch as a table, so that one pass runs all of them.

Each sample has K slots; slot k says which step comes k-th for it and how strong. Steps of
neighbouring transforms join by ``Program.cat``. ``run_program`` is the one way to run a table; this
file holds the torch form, which is the reference and runs anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import PIXELS, check_images, pixelwise, put_rows
from domainkit.vision.transforms._range import check_unit_range
from domainkit.vision.transforms.color import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
)
from domainkit.vision.transforms.levels import (
    autocontrast,
    equalize,
    grayscale,
    invert,
    permute,
    posterize,
    solarize,
)

__all__ = [
    "Code",
    "Colored",
    "Program",
    "run_program",
    "run_program_torch",
    "run_program_where",
]

_CACHED = 1 << 18  # values


class Code(IntEnum):
    """What a slot does; the meaning of its amount is in brackets."""

    NONE = 0
    BRIGHTNESS = 1  # [factor >= 0]
    CONTRAST = 2  # [factor >= 0], about the mean of the grey picture
    SATURATION = 3  # [factor >= 0]
    HUE = 4  # [turns in -0.5..0.5]
    INVERT = 5
    SOLARIZE = 6  # [threshold, in the unit of the pixels]: values >= it are inverted
    POSTERIZE = 7  # [bits that are kept, 0..8]
    GRAYSCALE = 8  # all three channels become the grey of ``rgb_to_grayscale``
    PERMUTE = 9  # [0..5: which of itertools.permutations(range(3)) the new channels come from]
    AUTOCONTRAST = 10
    EQUALIZE = 11


_ANY_RANGE = {Code.GRAYSCALE, Code.PERMUTE}  # right in any unit

# code -> f(pictures [n, C, H, W], amounts float32 [n]) -> pictures
STEPS: dict[int, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    Code.BRIGHTNESS: adjust_brightness,
    Code.CONTRAST: adjust_contrast,
    Code.SATURATION: adjust_saturation,
    Code.HUE: adjust_hue,
    Code.INVERT: invert,
    Code.SOLARIZE: solarize,
    Code.POSTERIZE: posterize,
    Code.GRAYSCALE: grayscale,
    Code.PERMUTE: permute,
    Code.AUTOCONTRAST: autocontrast,
    Code.EQUALIZE: equalize,
}


@dataclass(frozen=True)
class Program:
    """Colour steps of B samples, on the host.

    Attributes:
        codes: int64 [B, K], values of ``Code``; slots run from left to right.
        amounts: float32 [B, K].
    """

    codes: torch.Tensor
    amounts: torch.Tensor

    @classmethod
    def cat(cls, programs: Sequence[Program]) -> Program:
        """One program after the other."""
        return cls(
            torch.cat([p.codes for p in programs], 1), torch.cat([p.amounts for p in programs], 1)
        )

    def __len__(self) -> int:
        return len(self.codes)


class Colored(ImageTransform):
    """A transform whose work is a ``Program``: it can join its neighbours in one pass.

    A subclass may set:
        codes: the steps its programs can have, so that a compiled graph holds no others.
    """

    kind: ClassVar[str] = "color"
    compiled: ClassVar[bool] = True
    channels: ClassVar[tuple[int, ...]] = (1, 3)
    codes: ClassVar[tuple[int, ...]] = tuple(STEPS)

    def check_range(self, x: torch.Tensor | Ragged) -> None:
        """TransformError where floating pictures are plainly not in the 0..1 that steps cut to."""
        if not set(self.codes) <= _ANY_RANGE:
            check_unit_range(self, x)

    def program(self, draws: Draws, dtype: torch.dtype) -> Program:
        """What to do to each sample; ``dtype`` is the pictures' (amounts may depend on it)."""
        raise NotImplementedError

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=PIXELS, channels=self.channels)
        self.check_range(x)
        program = self.program(draws, x.dtype)
        if torch.compiler.is_compiling() and isinstance(x, torch.Tensor):
            return run_program_where(x, program, self.codes)
        return run_program(x, program)


def run_program(x: torch.Tensor | Ragged, program: Program) -> torch.Tensor | Ragged:
    """Run a program on uint8 or floating pictures with 1 or 3 channels, in the quickest form."""
    if torch.compiler.is_compiling() and isinstance(x, torch.Tensor):
        return run_program_where(x, program)
    # here, because the kernels need the definitions of this file
    from domainkit.vision.transforms.kernels.finish import color_finish

    if len(x) == 0 or not program.codes.any():
        return x
    return color_finish(x, program)


def run_program_where(
    x: torch.Tensor, program: Program, codes: Sequence[int] = tuple(STEPS)
) -> torch.Tensor:
    """The form for one graph: every slot does each of ``codes`` to all pictures and chooses.

    More work than the reference, but its shapes depend on no value and nothing asks the host.
    The same result to the last bit.
    """
    if len(x) == 0:
        return x
    places = program.codes.to(x.device)
    for slot in range(places.shape[1]):
        amounts = program.amounts[:, slot]
        out = x
        for code in codes:
            chosen = (places[:, slot] == int(code))[:, None, None, None]
            out = torch.where(chosen, STEPS[code](x, amounts), out)
        x = out
    return x


def run_program_torch(x: torch.Tensor | Ragged, program: Program) -> torch.Tensor | Ragged:
    """The reference: slot by slot, the samples that do the same done together."""
    if len(x) == 0 or not program.codes.any():
        return x
    return pixelwise(
        x, lambda pictures, s: _in_order(pictures, program.codes[s], program.amounts[s])
    )


def _in_order(x: torch.Tensor, codes: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    out = x.clone()  # the caller's pictures are never written to
    # on a CPU no more at a time than stays in its cache: twice as fast for large pictures
    block = len(x) if x.is_cuda else max(1, _CACHED // max(1, x[0].numel()))
    for place, strength in zip(codes.T, amounts.T, strict=True):
        for code in torch.unique(place).tolist():
            if code == Code.NONE:
                continue
            (rows,) = torch.nonzero(place == code, as_tuple=True)
            for part in rows.split(block):
                there = part.to(x.device)
                done = STEPS[code](out.index_select(0, there), strength[part])
                put_rows(out, part, done)
    return out
