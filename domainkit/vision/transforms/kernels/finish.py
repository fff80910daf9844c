"""``color_finish``: mirrors, colour steps, number type and normalisation of a batch in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from domainkit.ragged import Ragged
from domainkit.vision.transforms._images import mirrored
from domainkit.vision.transforms.kernels.forms import chosen_form, triton_can
from domainkit.vision.transforms.kernels.numba_color import can_run, color_finish_numba

if TYPE_CHECKING:
    from domainkit.vision.transforms._program import Program

__all__ = ["color_finish", "color_finish_torch"]


def color_finish(
    x: torch.Tensor | Ragged,
    program: Program | None = None,
    *,
    hflip: torch.Tensor | None = None,
    vflip: torch.Tensor | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    out_dtype: torch.dtype | None = None,
    scale: bool = True,
) -> torch.Tensor | Ragged:
    """Mirror, run the colour steps, convert and normalise, in this order and the quickest form.

    Args:
        x: pictures [B, C, H, W] or ``Ragged`` [C, H_i, W_i], uint8 or floating.
        program: the colour steps; None for none.
        hflip, vflip: bool [B] on the host; None for none.
        mean, std: a number per channel (or one for all); they need floating numbers by then.
        out_dtype: as ``ToDtype``; None keeps the dtype.
        scale: ``ToDtype``'s scale.
    """
    form = chosen_form()
    target = x.dtype if out_dtype is None else out_dtype
    if triton_can(x):
        # here, because importing Triton takes a second and not every machine has it
        from domainkit.vision.transforms.kernels import _triton_color

        if _triton_color.can_run(x, mean, out_dtype, scale=scale):
            return _triton_color.color_finish_triton(
                x,
                program,
                hflip=hflip,
                vflip=vflip,
                mean=mean,
                std=std,
                out_dtype=out_dtype,
                scale=scale,
            )
    # a mirror alone is a copy of rows, which torch does quicker
    plain = program is None and mean is None and std is None and target == x.dtype
    able = form == "numba" or (form == "auto" and not plain)
    if able and can_run(x, mean, std, target):
        return color_finish_numba(x, program, hflip, vflip, mean, std, target, scale)
    return color_finish_torch(
        x,
        program,
        hflip=hflip,
        vflip=vflip,
        mean=mean,
        std=std,
        out_dtype=out_dtype,
        scale=scale,
    )


def color_finish_torch(
    x: torch.Tensor | Ragged,
    program: Program | None = None,
    *,
    hflip: torch.Tensor | None = None,
    vflip: torch.Tensor | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    out_dtype: torch.dtype | None = None,
    scale: bool = True,
) -> torch.Tensor | Ragged:
    """The reference of ``color_finish``: one thing after the other, on any device."""
    from domainkit.draws import Draws
    from domainkit.vision.transforms._program import run_program_torch
    from domainkit.vision.transforms.normalize import Normalize
    from domainkit.vision.transforms.to_dtype import ToDtype

    for mask, axis in ((hflip, 3), (vflip, 2)):
        if mask is not None:
            x = mirrored(x, mask, axis)
    if program is not None:
        x = run_program_torch(x, program)
    none = Draws(0, 0, torch.zeros(len(x), dtype=torch.int64))
    if out_dtype is not None and out_dtype != x.dtype:
        x = ToDtype(str(out_dtype).removeprefix("torch."), scale=scale).apply(x, none)
    if mean is not None and std is not None:
        x = Normalize(mean, std).apply(x, none)
    return x
