"""``Fused``: a pass that does several picture steps at once, and the batches it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.transform import Pass, replace_fields
from domainkit.vision.transforms._rows import plain
from domainkit.vision.transforms._targets import targets_in
from domainkit.vision.transforms.kernels.forms import numba_can

__all__ = ["Alone", "Fused", "Unfit", "form_of", "mirror", "pictures_in"]

# the flips, by name because their modules need not be loaded to ask: the axis they turn around
_FLIPS = {"RandomHorizontalFlip": 3, "RandomVerticalFlip": 2}


class Unfit(Exception):  # no error: the steps do it then
    """Why a pass cannot do a batch at once."""


@dataclass(frozen=True)
class Alone(Pass):
    """A pass of one picture step."""

    def tried(self, batch: Any, draws: Draws) -> tuple[Any, Pass]:
        form = form_of(self, batch)
        return self.run(batch, draws), replace(self, form=form)


@dataclass(frozen=True)
class Fused(Pass):
    """A pass with a fused form for plain pictures; other batches go through its steps."""

    def fused(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        """All steps at once; ``Unfit`` where this form does not do it."""
        raise NotImplementedError

    def form_for(self, batch: Any) -> str:
        """The form in which these pictures are done, if they lie on a CPU."""
        return form_of(self, batch)

    def run(self, batch: Any, draws: Draws) -> Any:
        try:
            return self._at_once(batch, draws)
        except Unfit:
            pass  # the steps are run outside: an error of theirs has nothing to do with it
        return super().run(batch, draws)

    def tried(self, batch: Any, draws: Draws) -> tuple[Any, Pass]:
        try:
            form = self.form_for(batch)
            return self._at_once(batch, draws), replace(self, form=form)
        except Unfit as reason:
            went = Pass(self.steps, "step by step", why=str(reason), ops=self.ops)
        return super().run(batch, draws), went

    def _at_once(self, batch: Any, draws: Draws) -> Any:
        field = self.steps[0].field
        if not isinstance(batch, Mapping):
            return self._plain(batch, draws)
        if field not in batch:
            raise Unfit(f"the batch has no {field!r}")
        moving = targets_in(batch, field)
        if moving:
            raise Unfit(f"{', '.join(map(repr, moving))} of the batch may move along")
        return replace_fields(batch, {field: self._plain(batch[field], draws)})

    def _plain(self, x: Any, draws: Draws) -> torch.Tensor | Ragged:
        why = _unfit(x)
        if why or len(x) != len(draws):
            raise Unfit(why)
        return self.fused(x, draws)


def form_of(one: Pass, batch: Any) -> str:
    """The form in which a pass does the pictures of a batch, if they lie on a CPU."""
    x = pictures_in(batch, one.steps[0].field)
    values = x.values if isinstance(x, Ragged) else x
    if one.form != "numba" or not isinstance(values, torch.Tensor) or values.device.type != "cpu":
        return one.form
    return "numba" if numba_can(values) else "torch"


def pictures_in(batch: Any, field: str) -> Any:
    """What a batch or its field holds, None if it has no such field."""
    return plain(batch.get(field) if isinstance(batch, Mapping) else batch)


def _unfit(x: Any) -> str:
    """Why this is no batch of uint8 or float32 pictures without gradients; empty if it is one."""
    if isinstance(x, Ragged):
        if x.host_shapes.shape[1] != 3 or x.inner:
            return "its items are no pictures [C, H, W]"
    elif type(x) is not torch.Tensor:  # subclasses of Tensor have a mind of their own
        return f"it is a {type(x).__name__}, not a plain tensor or Ragged"
    elif x.ndim != 4:
        return "clips share their draws" if x.ndim == 5 else f"it is a tensor {tuple(x.shape)}"
    if x.dtype not in (torch.uint8, torch.float32):
        return f"pictures are {str(x.dtype).removeprefix('torch.')}, not uint8 or float32"
    values = x.values if isinstance(x, Ragged) else x
    if len(x) == 0 or values.numel() == 0:
        return "there are no pixels"
    return "gradients are wanted" if values.requires_grad else ""


def mirror(step: Any) -> int | None:
    """The axis of [B, C, H, W] that a step mirrors with a probability, or None."""
    return _FLIPS.get(type(step).__name__) if hasattr(step, "mask") else None
