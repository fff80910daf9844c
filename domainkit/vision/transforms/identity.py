"""``Identity`` and ``Lambda``: nothing, and a function of your own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.transform import Transform

__all__ = ["Identity", "Lambda"]


@dataclass(frozen=True)
class Identity(Transform):
    """Give back what comes: of use as one choice of ``RandomChoice``.

    Example:
        >>> import torch
        >>> Identity()(torch.ones(1, 1, 1, 2))
        tensor([[[[1., 1.]]]])
    """

    field: ClassVar[str] = "image"
    kind: ClassVar[str] = "pointwise"

    def apply(self, x: Any, draws: Draws) -> Any:
        return x


@dataclass(frozen=True)
class Lambda(Transform):
    """Run a function of your own on the pictures.

    Args:
        function: is given the whole batch of pictures, dense [B, C, H, W] or ``Ragged``, and gives
            as many back. To be sent to worker processes it must be a function of a module.
        name: what it is called in a printed pipeline.

    Raises:
        TransformError: no function, or it gave another number of samples.

    Example:
        >>> import torch
        >>> Lambda(torch.neg)(torch.ones(1, 1, 1, 2))
        tensor([[[[-1., -1.]]]])
    """

    function: Callable[[Any], Any]
    name: str = ""

    field: ClassVar[str] = "image"
    kind: ClassVar[str] = "pointwise"

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TransformError(f"Lambda: function must be callable, got {self.function!r}")

    def __repr__(self) -> str:
        return f"Lambda({self.name or getattr(self.function, '__name__', repr(self.function))})"

    def apply(self, x: Any, draws: Draws) -> Any:
        out = self.function(x)
        if not hasattr(out, "__len__") or len(out) != len(x):
            got = f"{len(out)} samples" if hasattr(out, "__len__") else type(out).__name__
            raise TransformError(f"{self!r} must give back {len(x)} samples, got {got}")
        return out
