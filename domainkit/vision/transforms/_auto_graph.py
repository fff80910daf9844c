"""The automatic augmentations in one graph: every operation done to all pictures, one chosen each.

More work than taking out the samples of each operation, but shapes depend on no value and nothing
asks the host: what ``torch.export``, ``torch.compile(fullgraph=True)`` and CUDA graphs need.
"""

from __future__ import annotations

from typing import Any

import torch

from domainkit.vision.transforms._auto_ops import (
    AT,
    CODES,
    amounts_of,
    bends,
    codes_of,
    matrices,
)
from domainkit.vision.transforms._images import sizes_in_graph
from domainkit.vision.transforms._program import Program, run_program_where
from domainkit.vision.transforms.kernels.warp import sample_at, source_points
from domainkit.vision.transforms.sharpness import adjust_sharpness

__all__ = ["slots_in_one_graph"]


def slots_in_one_graph(
    x: torch.Tensor,
    ops: torch.Tensor,
    values: torch.Tensor,
    interpolation: str,
    fill: Any,
) -> torch.Tensor:
    """``run_slots`` for dense pictures; the same numbers, on the device of ``ops``."""
    if len(x) == 0:
        return x
    bound = 255.0 if x.dtype == torch.uint8 else 1.0
    sizes, (height, width) = sizes_in_graph(x, ops), x.shape[2:]
    kinds = tuple(int(code) for code in CODES.values())

    def rows(chosen: torch.Tensor) -> torch.Tensor:
        return chosen.to(x.device)[:, None, None, None]

    for slot in range(ops.shape[1]):
        op, value = ops[:, slot], values[:, slot]
        program = Program(codes_of(op)[:, None], amounts_of(op, value, bound)[:, None])
        out = run_program_where(x, program, kinds)
        matrix = matrices(op, value, sizes).to(x.device)
        moved = sample_at(x, source_points(matrix, height, width), interpolation, fill)
        out = torch.where(rows(bends(op)), moved, out)
        sharp = op == AT["Sharpness"]
        factor = torch.where(sharp, 1.0 + value, 1.0).to(torch.float32)
        x = torch.where(rows(sharp), adjust_sharpness(x, factor.to(x.device)), out)
    return x
