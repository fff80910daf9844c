"""How neighbouring token steps become one pass: cut, add special tokens, mask and pad together.

On a CPU every token is then moved once, from the flat buffer straight to its place in the dense
batch, and masked while its row is in the processor's cache. The pass draws the same numbers and
gives the same bits as its steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.text.transforms.add_special_tokens import AddSpecialTokens
from domainkit.text.transforms.checks import BESIDE
from domainkit.text.transforms.kernels.rows import dense_rows, numba_can, ragged_rows
from domainkit.text.transforms.mask_tokens import MaskTokens
from domainkit.text.transforms.pad import Pad
from domainkit.text.transforms.truncate import Truncate
from domainkit.transform import Pass, Transform, replace_fields

__all__ = ["RowPass", "plan_passes"]

Step = TypeVar("Step", bound=Transform)
ORDER: tuple[type[Transform], ...] = (Truncate, AddSpecialTokens, MaskTokens, Pad)


def plan_passes(steps: Sequence[tuple[int, Transform]]) -> list[Pass]:
    """The passes for neighbouring steps, each with its op: runs that are in ``ORDER`` join.

    Example:
        >>> for one in plan_passes([(0, Truncate(8)), (1, Pad()), (2, Truncate(4))]):
        ...     print(one)
        Truncate + Pad  [numba; tokens]: each token is moved once
        Truncate  [torch; tokens]
    """
    runs: list[list[tuple[int, Transform]]] = []
    last = len(ORDER)
    for op, step in steps:
        rank = ORDER.index(type(step)) if type(step) in ORDER else -1
        if rank < 0 or (isinstance(step, MaskTokens) and step.unit != "token"):
            rank, last = len(ORDER), len(ORDER)  # on its own, and nothing joins it
        if rank <= last or last == len(ORDER):
            runs.append([])
        runs[-1].append((op, step))
        last = rank
    return [_as_pass(run) for run in runs]


def _as_pass(run: Sequence[tuple[int, Transform]]) -> Pass:
    ops, steps = tuple(op for op, _ in run), tuple(step for _, step in run)
    if len(steps) == 1:
        return Pass(steps, "torch", ops=ops)
    return RowPass(steps, "numba", "each token is moved once", ops)


@dataclass(frozen=True)
class RowPass(Pass):
    """Several of ``ORDER`` as one move; batches that it has no form for go through the steps."""

    def run(self, batch: Any, draws: Draws) -> Any:
        return self.tried(batch, draws)[0]

    def tried(self, batch: Any, draws: Draws) -> tuple[Any, Pass]:
        why = self._why_not(batch)
        if why:
            how = Pass(self.steps, "torch", f"step by step: {why}", self.ops)
            return how.run(batch, draws), how
        return self._moved(batch, draws), self

    def _why_not(self, batch: Any) -> str:
        if not isinstance(batch, Mapping) or not isinstance(batch.get("tokens"), Ragged):
            return "not a mapping with ragged tokens"
        tokens = batch["tokens"]
        if tokens.item_ndim != 1 or tokens.dtype not in (torch.int32, torch.int64):
            return "not tokens"  # which the steps refuse
        if not numba_can(tokens.values):
            return "not on a CPU"
        other = [name for name in (*BESIDE, "pair_tokens") if name in batch]
        return f"{', '.join(other)} move along" if other else ""

    def _step(self, kind: type[Step]) -> Step | None:
        return next((step for step in self.steps if isinstance(step, kind)), None)

    def _moved(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        cut, around = self._step(Truncate), self._step(AddSpecialTokens)
        masking, padding = self._step(MaskTokens), self._step(Pad)
        tokens: Ragged = batch["tokens"]
        starts, counts = _stretches(tokens, cut)
        begin, end = (around.begin, around.end) if around else ((), ())
        widths = counts + (len(begin) + len(end))
        fields: dict[str, Any] = {}
        if padding:
            left = padding.side == "left"
            width = padding.length_for(int(widths.max(initial=0)))
            out, fields["attention_mask"] = dense_rows(
                tokens.values, starts, counts, width,
                begin=begin, end=end, left=left, fill=padding.value, mask=True,
            )  # fmt: skip
            firsts = np.arange(len(counts)) * width + (width - widths if left else 0)
            fields["tokens"] = out
        else:
            fields["tokens"] = rows = ragged_rows(tokens.values, starts, counts, begin, end)
            out, firsts = rows.values, rows.host_offsets[:-1]
        if masking:
            own = draws.at(self.ops[self.steps.index(masking)])
            labels = masking.hide(out.view(-1), firsts, widths, own)
            fields["labels"] = labels.view_as(out) if padding else rows.with_values(labels)
        if around and around.type_ids:
            zeros = torch.zeros_like(out, dtype=torch.int64)
            fields["token_type_ids"] = zeros if padding else rows.with_values(zeros)
        return replace_fields(batch, fields)


def _stretches(tokens: Ragged, cut: Truncate | None) -> tuple[np.ndarray, np.ndarray]:
    """Where what stays of each sample begins, and how much that is."""
    starts, lengths = tokens.host_offsets[:-1], tokens.host_shapes[:, 0]
    if cut is None:
        return starts, lengths
    kept = np.minimum(lengths, cut.max_length)
    return (starts if cut.side == "right" else starts + lengths - kept), kept
