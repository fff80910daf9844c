"""``AugMix``: every picture blended with several altered copies of itself.

Source of the method: Hendrycks et al., "AugMix: a simple data processing method to improve
robustness and uncertainty" (ICLR 2020).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.gamma import dirichlet
from domainkit.ragged import Ragged
from domainkit.vision.transforms._auto import (
    OPS,
    Automatic,
    Space,
    chances,
    check_warp,
    run_slots,
    strengths,
)

__all__ = ["AugMix"]

_STEPS = 10  # of strength
_DEEPEST = 3
_COLOURS = ("Brightness", "Color", "Contrast", "Sharpness")
_ALL = tuple(op for op in OPS if op not in ("Identity", "Invert"))
_SPACE = Space(_ALL, 0.3, lambda side: side / 3.0, 30.0, 0.9, (4, 4))
_PARTIAL = replace(_SPACE, ops=tuple(op for op in _ALL if op not in _COLOURS))


@dataclass(frozen=True)
class AugMix(Automatic):
    """Blend every picture with ``mixture_width`` copies that went through chains of operations.

    Takes uint8 (0..255) or floating (0..1) pictures with 1 or 3 channels, dense [B, C, H, W] or
    ``Ragged`` [C, H_i, W_i], and gives the same form. Everything is drawn for each picture by
    itself.

    Args:
        severity: in 1..10; the strength of an operation is one of its first ``severity`` steps.
        mixture_width: how many chains there are.
        chain_depth: how many operations a chain has; below 1: 1, 2 or 3, drawn for each chain.
        alpha: of the Dirichlet law of the chains' shares, and of the Beta law of the picture's own.
        all_ops: also brightness, colour, contrast and sharpness.
        interpolation: "nearest", "bilinear" or "bicubic", for what is bent or moved.
        fill: what lies outside of the picture: a number or one per channel, in the unit of the
            pixels; None is 0.

    Exactness: operations, magnitudes, signs and shares follow torchvision's law; with the same ones
    within 2 levels of ``torchvision.transforms.v2.AugMix`` on uint8.

    Raises:
        TransformError: wrong arguments, dtype or shape.

    Example:
        >>> AugMix()(torch.zeros(4, 3, 8, 8, dtype=torch.uint8)).shape
        torch.Size([4, 3, 8, 8])
    """

    severity: int = 3
    mixture_width: int = 3
    chain_depth: int = -1
    alpha: float = 1.0
    all_ops: bool = True
    interpolation: str = "bilinear"
    fill: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_warp(self)
        if type(self.severity) is not int or not 1 <= self.severity <= _STEPS:
            raise TransformError(f"AugMix: severity must be in 1..10, got {self.severity!r}")
        if type(self.mixture_width) is not int or self.mixture_width < 1:
            raise TransformError(
                f"AugMix: mixture_width must be an int >= 1, got {self.mixture_width!r}"
            )
        if type(self.chain_depth) is not int:
            raise TransformError(f"AugMix: chain_depth must be an int, got {self.chain_depth!r}")
        if not isinstance(self.alpha, (int, float)) or not self.alpha > 0:
            raise TransformError(f"AugMix: alpha must be a number above 0, got {self.alpha!r}")

    def drawn(
        self, x: torch.Tensor | Ragged, draws: Draws
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What is done to each picture, all on the host.

        Returns:
            int64 [B, width, depth], numbers in ``RandAugment``'s list (0 where a chain has ended);
            their magnitudes, float64; and float64 [B, 1 + width], the shares of the picture itself
            and of each chain, which add up to 1.
        """
        width, deepest = self.mixture_width, self.chain_depth if self.chain_depth > 0 else _DEEPEST
        space, n = _SPACE if self.all_ops else _PARTIAL, width * deepest
        ops = space.numbered(draws.integers(n, 0, len(space.ops), device="cpu"))
        steps = draws.integers(n, 0, self.severity, start=n, device="cpu")
        values = strengths(space, _STEPS, x, ops, steps=steps, negative=chances(draws, n, 2 * n))
        ops, values = ops.unflatten(1, (width, deepest)), values.unflatten(1, (width, deepest))
        if self.chain_depth < 1:
            depth = draws.integers(width, 1, _DEEPEST + 1, start=3 * n, device="cpu")
            ops = torch.where(torch.arange(deepest, device=depth.device) < depth[..., None], ops, 0)
        start = 3 * n + width
        own = dirichlet(draws, 2, self.alpha, start=start).to(ops.device)
        chains = dirichlet(draws, width, self.alpha, start=start + 50).to(ops.device)
        return ops, values, torch.cat([own[:, :1], chains * own[:, 1:]], 1)

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        self.check(x)
        if len(x) == 0:
            return x
        ops, values, shares = self.drawn(x, draws)
        mixed = _share(x, shares[:, 0])
        for i in range(self.mixture_width):
            altered = run_slots(x, ops[:, i], values[:, i], self.interpolation, self.fill)
            part = _share(altered, shares[:, 1 + i])
            mixed = [a.add_(b) for a, b in zip(mixed, part, strict=True)]
        done = [part.to(x.dtype) for part in mixed]
        return Ragged.from_list(done) if isinstance(x, Ragged) else done[0]


def _share(x: torch.Tensor | Ragged, share: torch.Tensor) -> list[torch.Tensor]:
    """share[i] * x[i] in the precision it is added up in: one dense tensor, or one per picture."""
    work = torch.float64 if x.dtype == torch.float64 else torch.float32
    if isinstance(x, Ragged):
        weights = share.to(x.device, work)
        return [item.to(work) * weights[i] for i, item in enumerate(x)]
    return [x.to(work) * share.to(x.device, work)[:, None, None, None]]
