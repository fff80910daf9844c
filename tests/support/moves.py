"""Geometry of known parameters, to hold what follows a picture against torchvision."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms._geometry import Geometric, Placement

__all__ = ["Move", "placement"]


def placement(
    matrix: torch.Tensor, source: tuple[int, int], sizes: tuple[int, int], *, window: bool = False
) -> Placement:
    """One sample's placement from its output-to-input matrix [3, 3]."""
    return Placement(
        torch.tensor([source]), torch.tensor([sizes]), matrix.to(torch.float64)[None], window
    )


@dataclass(frozen=True)
class Move(Geometric):
    """Any placement; the picture itself is left black."""

    placed: Placement

    def place(self, sizes: torch.Tensor, draws: Draws) -> Placement:
        return self.placed

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        height, width = self.placed.sizes[0].tolist()
        return torch.zeros(len(x), 3, height, width)


@dataclass(frozen=True)
class Loose(Move):
    """A placement that does not clamp."""

    clamps = False
