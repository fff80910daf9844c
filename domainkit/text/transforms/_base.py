"""``TokenTransform``: the base of steps on tokens, which may stand behind ``Pack``."""

from __future__ import annotations

from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.transform import Transform

__all__ = ["TokenTransform"]


class TokenTransform(Transform):
    """A step on ``batch["tokens"]``.

    ``Pack`` makes rows of samples, so behind it the draws of a pipeline are for another number. A
    step that draws nothing goes on all the same; one that draws says where it belongs.
    """

    def _draws(self, x: Any, draws: Draws | None) -> Draws:
        if draws is None or not hasattr(x, "__len__") or len(draws) == len(x):
            return super()._draws(x, draws)
        if self.random:
            raise TransformError(
                f"{type(self).__name__} got draws for {len(draws)} samples and a batch of {len(x)}"
                ": put random steps before Pack"
            )
        return Draws(0, 0, torch.arange(len(x)))
