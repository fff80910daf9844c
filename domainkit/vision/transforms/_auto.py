"""What the automatic augmentations share: how strong their operations are, and the passes.

An operation of its own per sample takes no loop over samples: of every slot the samples with a
colour step are done as one ``Program``, those that are bent or moved by one ``warp``, those that
are sharpened by one filter. Operations, magnitudes and signs are torchvision's (v2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._auto_graph import slots_in_one_graph
from domainkit.vision.transforms._auto_ops import AT, OPS, amounts_of, bends, codes_of, matrices
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import (
    PIXELS,
    check_images,
    constants,
    item_sizes,
    pixelwise,
    put_rows,
)
from domainkit.vision.transforms._program import Program, run_program
from domainkit.vision.transforms._range import check_unit_range
from domainkit.vision.transforms.kernels.warp import warp
from domainkit.vision.transforms.sharpness import adjust_sharpness

__all__ = [
    "OPS",
    "Automatic",
    "Space",
    "as_fill",
    "chances",
    "check_warp",
    "run_slots",
    "strengths",
]


@dataclass(frozen=True)
class Space:
    """How strong each operation is at the last of ``bins`` steps; the first changes nothing.

    Attributes:
        ops: which operations are drawn from.
        shear: the tangent of the angle.
        shift: from a side's length in pixels to pixels.
        turn: degrees.
        colour: how far from 1 the factor of brightness, colour, contrast and sharpness is.
        bits: how many bits Posterize keeps at the first step, and how many fewer at the last.
    """

    ops: tuple[str, ...]
    shear: float
    shift: Callable[[int], float]
    turn: float
    colour: float
    bits: tuple[int, int]

    def numbered(self, which: torch.Tensor) -> torch.Tensor:
        """The numbers in ``OPS`` of operations that are given by their places in ``ops``."""
        return constants([AT[name] for name in self.ops], torch.int64, which.device)[which]

    def table(
        self, bins: int, height: int, width: int, device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """float64 [len(OPS), bins] for pictures of one size; float32 numbers, as torchvision's."""
        ends = {
            **dict.fromkeys(("ShearX", "ShearY"), self.shear),
            "TranslateX": self.shift(width),
            "TranslateY": self.shift(height),
            "Rotate": self.turn,
            **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), self.colour),
        }
        out = torch.zeros(len(OPS), bins, dtype=torch.float64, device=device)
        for name, end in ends.items():
            out[AT[name]] = torch.linspace(0.0, end, bins, device=device)
        first, fewer = self.bits
        out[AT["Posterize"]] = (
            first - torch.arange(bins, device=device) / ((bins - 1) / fewer)
        ).round()
        out[AT["Solarize"]] = torch.linspace(1.0, 0.0, bins, device=device)
        return out


def strengths(
    space: Space,
    bins: int,
    x: torch.Tensor | Ragged,
    ops: torch.Tensor,
    *,
    steps: torch.Tensor | int,
    negative: torch.Tensor,
) -> torch.Tensor:
    """float64 [B, K]: magnitudes as torchvision's functions take them.

    Args:
        ops: int64 [B, K], numbers in ``OPS``.
        steps: int64 [B, K] or a number, in 0..bins - 1.
        negative: bool [B, K]: the other way, for the operations that have one.
    """
    signed = (ops >= AT["ShearX"]) & (ops <= AT["Sharpness"])
    if torch.compiler.is_compiling() and isinstance(x, torch.Tensor):
        values = space.table(bins, x.shape[2], x.shape[3], ops.device)[ops, steps]
        return torch.where(negative & signed, -values, values)
    sizes, of = torch.unique(item_sizes(x), dim=0, return_inverse=True)
    if len(sizes) == 0:
        return torch.zeros(ops.shape, dtype=torch.float64)
    tables = torch.stack([space.table(bins, height, width) for height, width in sizes.tolist()])
    values = tables[of[:, None], ops, steps]
    return torch.where(negative & signed, -values, values)


def run_slots(
    x: torch.Tensor | Ragged,
    ops: torch.Tensor,
    values: torch.Tensor,
    interpolation: str,
    fill: Any,
) -> torch.Tensor | Ragged:
    """Run operations int64 [B, K] with magnitudes [B, K], slot after slot; sizes stay."""
    if torch.compiler.is_compiling() and isinstance(x, torch.Tensor):
        return slots_in_one_graph(x, ops, values, interpolation, fill)
    if len(x) == 0 or not ops.any():
        return x
    pictures: _Dense | _Items = _Items(x) if isinstance(x, Ragged) else _Dense(x)
    bound = 255.0 if x.dtype == torch.uint8 else 1.0
    sizes = item_sizes(x)
    for op, value in zip(ops.T, values.T, strict=True):
        codes, amounts = codes_of(op), amounts_of(op, value, bound)
        (rows,) = torch.nonzero(codes, as_tuple=True)
        if len(rows):
            program = Program(codes[rows, None], amounts[rows, None])
            pictures.put(rows, run_program(pictures.take(rows), program))
        (rows,) = torch.nonzero(bends(op), as_tuple=True)
        if len(rows):
            matrix = matrices(op[rows], value[rows], sizes[rows])
            moved = warp(pictures.take(rows), matrix, sizes[rows], interpolation, fill)
            pictures.put(rows, moved)
        (rows,) = torch.nonzero(op == AT["Sharpness"], as_tuple=True)
        if len(rows):
            factor = (1.0 + value[rows]).to(torch.float32)
            pictures.put(rows, _sharpened(pictures.take(rows), factor))
    return pictures.done()


def _sharpened(x: torch.Tensor | Ragged, factor: torch.Tensor) -> torch.Tensor | Ragged:
    return pixelwise(x, lambda pictures, s: adjust_sharpness(pictures, factor[s]))


class _Dense:
    """A copy of a dense batch, some of whose pictures are exchanged."""

    def __init__(self, x: torch.Tensor) -> None:
        self._x, self._mine = x, False

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        if len(rows) == len(self._x):
            return self._x
        return self._x.index_select(0, rows.to(self._x.device))

    def put(self, rows: torch.Tensor, values: Any) -> None:
        if len(rows) == len(self._x):
            self._x, self._mine = values, False  # who knows whose memory it is
            return
        if not self._mine:
            self._x, self._mine = self._x.clone(), True
        put_rows(self._x, rows, values)

    def done(self) -> torch.Tensor:
        return self._x


class _Items:
    """The same for pictures of several sizes."""

    def __init__(self, x: Ragged) -> None:
        self._items = list(x)

    def take(self, rows: torch.Tensor) -> Ragged:
        return Ragged.from_list([self._items[i] for i in rows.tolist()])

    def put(self, rows: torch.Tensor, values: Any) -> None:
        for i, value in zip(rows.tolist(), values, strict=True):
            self._items[i] = value

    def done(self) -> Ragged:
        return Ragged.from_list(self._items)


class Automatic(ImageTransform):
    """The base of those that run slot after slot; a subclass is a dataclass with these fields."""

    interpolation: str
    fill: Any
    random: ClassVar[bool] = True
    moves: ClassVar[bool] = True

    def drawn(self, x: torch.Tensor | Ragged, draws: Draws) -> tuple[torch.Tensor, ...]:
        """int64 [B, K], numbers in ``OPS``, and their magnitudes, float64 [B, K]."""
        raise NotImplementedError

    def check(self, x: torch.Tensor | Ragged) -> None:
        """TransformError unless these are pictures that the operations are for."""
        check_images(self, x, dtypes=PIXELS, channels=(1, 3))
        check_unit_range(self, x)

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        self.check(x)
        ops, values = self.drawn(x, draws)
        return run_slots(x, ops, values, self.interpolation, self.fill)


def check_warp(op: Any, bins: int | None = None) -> None:
    """Check ``interpolation``, ``fill`` and a number of magnitudes; a list becomes a tuple."""
    name = type(op).__name__
    if op.interpolation not in ("nearest", "bilinear", "bicubic"):
        raise TransformError(
            f"{name}: interpolation must be nearest, bilinear or bicubic, got {op.interpolation!r}"
        )
    object.__setattr__(op, "fill", as_fill(name, op.fill))
    if bins is not None and (type(bins) is not int or bins < 2):
        raise TransformError(f"{name}: num_magnitude_bins must be an int above 1, got {bins!r}")


def as_fill(name: str, fill: Any) -> Any:
    """None, a number, or a tuple with one per channel."""
    values = fill if isinstance(fill, (list, tuple)) else (fill,)
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    if fill is not None and not (values and numbers):
        raise TransformError(
            f"{name}: fill must be None, a number or one per channel, got {fill!r}"
        )
    return tuple(fill) if isinstance(fill, list) else fill


def chances(draws: Draws, n: int, start: int) -> torch.Tensor:
    """bool [B, n] on the host, each True for half of the samples."""
    return draws.uniform(n, start=start, device="cpu") < 0.5
