"""``RandomApply``, ``RandomChoice`` and ``RandomOrder``: a choice per sample of what is done.

Each step runs once, on the samples that it was drawn for; all fields of a mapping (labels, boxes)
go along with their samples.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Compose, Transform, batch_length
from domainkit.vision.transforms._parts import run_parts

__all__ = ["RandomApply", "RandomChoice", "RandomOrder"]


class _Container(Transform):
    """A transform whose arguments are transforms; it hands whole batches on to them."""

    field: ClassVar[str] = "image"
    kind: ClassVar[str] = "choice"
    random: ClassVar[bool] = True

    transforms: Sequence[Any]

    def __call__(self, batch: Any, draws: Draws | None = None) -> Any:
        length = batch_length(batch)
        if not isinstance(batch, Mapping):
            _check_pictures(self, batch)
        if draws is None:
            draws = Draws.from_generator(length)
        elif len(draws) != length:
            raise TransformError(f"got draws for {len(draws)} samples and a batch of {length}")
        return self.apply(batch, draws)

    @property
    def pairs(self) -> bool:
        """Whether a step mixes samples with each other (``MixUp``)."""
        return any(_pairs(step) for step in self.transforms)

    def _keep_transforms(self) -> None:
        name = type(self).__name__
        steps = self.transforms
        if isinstance(steps, Compose):
            steps = steps.steps
        if not isinstance(steps, Sequence) or isinstance(steps, str) or not steps:
            raise TransformError(f"{name}: transforms must be a list, not empty, got {steps!r}")
        object.__setattr__(self, "transforms", tuple(_step(name, step) for step in steps))


@dataclass(frozen=True)
class RandomApply(_Container):
    """Run transforms, one after the other, on every sample with probability ``p``.

    Takes what its transforms take: a batch, or a mapping of fields. The samples that were not drawn
    stay as they are, so on a dense batch the transforms must keep size and dtype.

    Args:
        transforms: one or more transforms (in a recipe: tables with op = ...).
        p: probability in [0, 1], for each sample by a draw of its own.

    Exactness: that of its transforms, on the samples that ``mask`` gives.

    Raises:
        TransformError: wrong arguments, or samples that no longer fit together.

    Example:
        >>> from domainkit.vision import transforms as T
        >>> blurry = T.RandomApply([T.ColorJitter(0.4), T.RandomHorizontalFlip()], p=0.8)
        >>> blurry(torch.zeros(4, 3, 8, 8)).shape
        torch.Size([4, 3, 8, 8])
    """

    transforms: Sequence[Any]
    p: float = 0.5

    def __post_init__(self) -> None:
        self._keep_transforms()
        if not 0 <= self.p <= 1:
            raise TransformError(f"RandomApply: p must be in [0, 1], got {self.p!r}")

    def mask(self, draws: Draws) -> torch.Tensor:
        """bool [B] on the device of the sample ids: which samples are transformed."""
        return draws.uniform(1)[:, 0] < self.p

    def apply(self, x: Any, draws: Draws) -> Any:
        chain = _Chain(tuple(self.transforms))
        return run_parts("RandomApply", x, draws, [(chain, self.mask(draws), 1)])


@dataclass(frozen=True)
class RandomChoice(_Container):
    """Run one of several transforms on every sample, by a draw of its own.

    Takes what its transforms take: a batch, or a mapping of fields. On a dense batch all of them
    must give the same size and dtype. ``RandomChoice([MixUp(...), CutMix(...)])`` works, but
    ``RandomMixUpCutMix`` does it in one pass.

    Args:
        transforms: one or more transforms (in a recipe: tables with op = ...).
        p: a weight for each of them, which need not add up to 1; None: all alike.

    Exactness: that of its transforms, on the samples that ``choice`` gives.

    Raises:
        TransformError: wrong arguments, or samples that no longer fit together.

    Example:
        >>> from domainkit.vision import transforms as T
        >>> one = T.RandomChoice([T.RandomHorizontalFlip(1.0), T.Identity()], p=[1, 3])
        >>> one(torch.zeros(4, 3, 8, 8)).shape
        torch.Size([4, 3, 8, 8])
    """

    transforms: Sequence[Any]
    p: Sequence[float] | None = None

    def __post_init__(self) -> None:
        self._keep_transforms()
        if self.p is None:
            return
        p = tuple(self.p) if isinstance(self.p, (list, tuple)) else ()
        if len(p) != len(self.transforms) or min(p) < 0 or not sum(p) > 0:
            raise TransformError(
                f"RandomChoice: p must be {len(self.transforms)} weights >= 0, one for each "
                f"transform and not all 0, got {self.p!r}"
            )
        object.__setattr__(self, "p", p)

    def choice(self, draws: Draws) -> torch.Tensor:
        """int64 [B] on the device of the sample ids: the number of each sample's transform."""
        weights = torch.tensor(self.p or [1.0] * len(self.transforms), dtype=torch.float64)
        edges = (weights.cumsum(0) / weights.sum())[:-1].to(draws.ids.device)
        unit = draws.uniform(1)[:, 0].to(torch.float64)
        return torch.searchsorted(edges, unit, right=True)

    def apply(self, x: Any, draws: Draws) -> Any:
        choice = self.choice(draws)
        steps = [(step, choice == i, i + 1) for i, step in enumerate(self.transforms)]
        return run_parts("RandomChoice", x, draws, steps)


@dataclass(frozen=True)
class RandomOrder(_Container):
    """Run several transforms on every sample, in an order of its own.

    Takes what its transforms take: a batch, or a mapping of fields. On a dense batch they must keep
    size and dtype.

    Args:
        transforms: one or more transforms (in a recipe: tables with op = ...).

    Exactness: that of its transforms, in the order that ``order`` gives.

    Raises:
        TransformError: wrong arguments, or samples that no longer fit together.

    Example:
        >>> from domainkit.vision import transforms as T
        >>> mixed = T.RandomOrder([T.ColorJitter(0.4), T.RandomHorizontalFlip()])
        >>> mixed(torch.zeros(4, 3, 8, 8)).shape
        torch.Size([4, 3, 8, 8])
    """

    transforms: Sequence[Any]

    def __post_init__(self) -> None:
        self._keep_transforms()
        if self.pairs:
            raise TransformError("RandomOrder: MixUp and CutMix need one place for the whole batch")

    def order(self, draws: Draws) -> torch.Tensor:
        """int64 [B, n] on the device of the sample ids: the numbers of the steps, first to last."""
        return draws.uniform(len(self.transforms)).argsort(dim=1, stable=True)

    def apply(self, x: Any, draws: Draws) -> Any:
        for place in self.order(draws).unbind(1):
            steps = [(step, place == i, i + 1) for i, step in enumerate(self.transforms)]
            x = run_parts("RandomOrder", x, draws, steps)
        return x


@dataclass(frozen=True)
class _Chain:
    """Steps one after the other, without a name of their own."""

    steps: tuple[Any, ...]

    def __call__(self, batch: Any, draws: Draws) -> Any:
        for op, step in enumerate(self.steps):
            batch = step(batch, draws.at(op))
        return batch

    @property
    def pairs(self) -> bool:
        return any(_pairs(step) for step in self.steps)


def _check_pictures(op: Any, x: Any) -> None:
    """Refuse here what a step refuses only if it is drawn."""
    if isinstance(x, Ragged) or (isinstance(x, torch.Tensor) and x.ndim in (4, 5)):
        return
    got = f"a tensor {tuple(x.shape)}" if isinstance(x, torch.Tensor) else type(x).__name__
    one = ": a single picture needs [None] for its batch" if got.count(",") == 2 else ""
    raise TransformError(
        f"{type(op).__name__} takes a mapping, a tensor [B, C, H, W] or [B, T, C, H, W], or a "
        f"Ragged, got {got}{one}"
    )


def _pairs(step: Any) -> bool:
    if isinstance(step, Compose):
        return any(_pairs(inner) for inner in step.steps)
    return bool(getattr(step, "pairs", False))


def _step(name: str, step: Any) -> Any:
    """A transform, as it is or as a recipe's table {"op": name, ...}."""
    if isinstance(step, Mapping) and "op" in step:
        public = importlib.import_module("domainkit.vision.transforms")
        kind = getattr(public, step["op"], None) if step["op"] in public.__all__ else None
        if kind is None:
            raise TransformError(f"{name}: there is no transform {step['op']!r}")
        return kind(**{key: value for key, value in step.items() if key != "op"})
    if not callable(step):
        raise TransformError(f"{name} takes transforms, got {type(step).__name__}: {step!r}")
    return step
