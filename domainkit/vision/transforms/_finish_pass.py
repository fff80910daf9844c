"""``FinishPass``: mirrors, colour steps, number type and normalisation of a batch in one go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.vision.transforms._fused import Fused, Unfit, mirror, pictures_in
from domainkit.vision.transforms._images import FLOATS
from domainkit.vision.transforms._program import Colored, Program
from domainkit.vision.transforms.kernels.finish import color_finish
from domainkit.vision.transforms.kernels.numba_color import can_run
from domainkit.vision.transforms.normalize import Normalize
from domainkit.vision.transforms.to_dtype import ToDtype

__all__ = ["FinishPass", "finishing"]


@dataclass(frozen=True)
class FinishPass(Fused):
    """Mirrors commute with everything here, so they come first wherever they stood."""

    def fused(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        channels = _channels(x)
        if channels is None:
            raise Unfit("pictures differ in their number of channels")
        flips: dict[int, torch.Tensor] = {}
        programs: list[Program] = []
        how: dict[str, Any] = {}
        dtype = x.dtype
        for op, step in zip(self.ops, self.steps, strict=True):
            axis = mirror(step)
            if axis is not None:
                mask = step.mask(draws.at(op)).cpu()  # type: ignore[attr-defined]
                flips[axis] = flips[axis] ^ mask if axis in flips else mask
            elif isinstance(step, Colored):
                if channels not in step.channels:
                    raise Unfit(f"pictures have {channels} channels")
                step.check_range(x)
                programs.append(step.program(draws.at(op), dtype))
            elif isinstance(step, ToDtype):
                dtype = getattr(torch, step.dtype)
                how |= {"out_dtype": dtype, "scale": step.scale}
            elif isinstance(step, Normalize):
                if dtype not in FLOATS or len(step.mean) not in (1, channels):
                    raise Unfit(
                        f"Normalize with {len(step.mean)} means gets {channels} channels of "
                        f"{str(dtype).removeprefix('torch.')}"
                    )
                if x.dtype == torch.uint8 and not how["scale"] and step.for_unit_range:
                    raise Unfit("Normalize gets levels where 0..1 seems meant")
                step.check_range(x)
                how |= {"mean": step.mean, "std": step.std}
        program = Program.cat(programs) if programs else None
        return color_finish(x, program, hflip=flips.get(3), vflip=flips.get(2), **how)

    def form_for(self, batch: Any) -> str:
        x, form = pictures_in(batch, self.steps[0].field), super().form_for(batch)
        if form != "numba":
            return form
        target, mean, std = x.dtype, None, None
        for step in self.steps:
            if isinstance(step, ToDtype):
                target = getattr(torch, step.dtype)
            elif isinstance(step, Normalize):
                mean, std = step.mean, step.std
        return "numba" if can_run(x, mean, std, target) else "torch"


def finishing(steps: list[Any]) -> int:
    """How many of the first steps one ``FinishPass`` can do: colour, then type, then scale."""
    stage = 0
    for n, step in enumerate(steps):
        if mirror(step) is not None:
            continue
        if isinstance(step, Colored) and type(step).apply is Colored.apply:
            place = 0
        elif isinstance(step, ToDtype) and getattr(torch, step.dtype) in FLOATS:
            place = 1
        elif isinstance(step, Normalize):
            place = 2
        else:
            return n
        if place < stage or (place == stage and place > 0):
            return n
        stage = place
    return len(steps)


def _channels(x: torch.Tensor | Ragged) -> int | None:
    """The number of channels of all pictures; None where they differ."""
    if isinstance(x, torch.Tensor):
        return x.shape[1]
    found = set(x.host_shapes[:, 0].tolist())
    return found.pop() if len(found) == 1 else None
