"""``RandomPerspective``: pictures seen from the side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms._arguments import Fill, as_pair, as_probability
from domainkit.vision.transforms._geometry import Placement
from domainkit.vision.transforms._images import constants, item_sizes
from domainkit.vision.transforms._warped import Warped
from domainkit.vision.transforms.kernels.warp import warp

__all__ = ["RandomPerspective"]

_CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))  # (x, y), the way round


@dataclass(frozen=True)
class RandomPerspective(Warped):
    """Move the four corners of a picture inwards with probability ``p``, each by its own draws.

    Takes uint8 or floating pictures, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i] ("nearest":
    any dtype), and gives the same form; sizes stay.

    Args:
        distortion_scale: in [0, 1]: a corner moves by whole pixels, uniform up to this share of
            half the width and half the height.
        p: probability in [0, 1].
        interpolation: "nearest", "bilinear" or "bicubic".
        fill: what lies around the picture: a number, one per channel, or None; see ``warp``.

    Exactness, against ``torchvision.transforms.v2.functional.perspective`` with the corners that
    ``corners`` gives: float64 within 1e-6, float32 within 5e-5, uint8 within 1 level, "nearest"
    equal but near the middle between two pixels. Pictures not drawn are untouched, and so are
    those one pixel high or wide, for which no homography is defined.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> RandomPerspective(0.4)(torch.zeros(4, 3, 32, 32, dtype=torch.uint8)).shape
        torch.Size([4, 3, 32, 32])
    """

    distortion_scale: float = 0.5
    p: float = 0.5
    interpolation: str = "bilinear"
    fill: Fill = 0

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        as_pair(self, "distortion_scale", (self.distortion_scale,) * 2, 0, 1)
        as_probability(self, self.p)
        self._check_sampling()

    def mask(self, draws: Draws) -> torch.Tensor:
        """bool [B] on the host: which pictures are changed."""
        return draws.uniform(1, device="cpu")[:, 0] < self.p

    def corners(self, sizes: torch.Tensor, draws: Draws) -> torch.Tensor:
        """int64 [B, 4, 2] on the host: where the corners go, (x, y) in pixels.

        The corners are upper left, upper right, lower right and lower left, which lie at (0, 0),
        (width - 1, 0), (width - 1, height - 1) and (0, height - 1) before.

        Args:
            sizes: int64 [B, 2], height and width of each picture.
        """
        size = sizes.flip(1)[:, None]  # [B, 1, 2], (x, y)
        bound = (self.distortion_scale * (size // 2).double()).floor() + 1
        unit = draws.uniform(8, start=1, device="cpu").double().view(-1, 4, 2)
        inwards = (unit * bound).floor().to(torch.int64)
        far = constants(_CORNERS, torch.int64, sizes.device)
        # at the far side torchvision draws from [size - bound, size)
        return torch.where(far == 1, size - bound.to(torch.int64) + inwards, inwards)

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        nothing = torch.eye(3, dtype=torch.float64, device=sizes.device)
        sides = sizes.flip(1)[:, None] - 1
        before = sides * constants(_CORNERS, torch.int64, sizes.device)
        solved, fine = _homographies(self.corners(sizes, draws).double(), before.double())
        chosen = self.mask(draws) & fine & (sizes > 1).all(1)
        matrix = torch.where(chosen[:, None, None], solved, nothing)
        return Placement(sizes, sizes, matrix, window=False)

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        if torch.compiler.is_compiling() and isinstance(x, torch.Tensor):
            moved = self.mask(draws).to(x.device)[:, None, None, None]
            return torch.where(moved, self._in_one_graph(x, draws), x)
        self.check(x)
        if len(x) == 0:
            return x
        placed = self.place(item_sizes(x), draws)
        out = warp(x, placed.matrix, placed.sizes, self.interpolation, self.fill)
        still = (placed.matrix == torch.eye(3, dtype=torch.float64)).flatten(1).all(1).to(x.device)
        # sampling at every pixel's centre would change the last bits
        if isinstance(x, torch.Tensor):
            assert isinstance(out, torch.Tensor)
            return torch.where(still[:, None, None, None], x, out)
        if isinstance(out, Ragged) and out.channels_last == x.channels_last:
            values = out.values
        else:
            items = [item.permute(1, 2, 0) if x.channels_last else item for item in out]
            values = torch.cat([item.reshape(-1) for item in items])
        same = still.repeat_interleave(x.offsets.diff())
        return x.with_values(torch.where(same, x.values, values))


def _homographies(moved: torch.Tensor, before: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """float64 [B, 3, 3] with moved -> before (both float64 [B, 4, 2]); bool [B]: it exists.

    x' = (a x + b y + c) / (g x + h y + 1) and y' = (d x + e y + f) / (g x + h y + 1) give two
    linear equations in a..h per corner.
    """
    x, y = moved.unbind(2)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    u, v = before.unbind(2)
    first = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], 2)
    second = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], 2)
    solved, info = torch.linalg.solve_ex(
        torch.cat([first, second], 1), torch.cat([u, v], 1)[:, :, None]
    )
    # torchvision keeps the coefficients in float32
    rows = torch.cat([solved[:, :, 0].float().double(), torch.ones_like(x[:, :1])], 1)
    return rows.view(-1, 3, 3), (info == 0) & rows.isfinite().all(1)
