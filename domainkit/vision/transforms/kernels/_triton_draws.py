"""Philox 4x32-10 for Triton kernels: the numbers of ``domainkit.draws``, bit for bit.

``philox_word`` and ``unit`` are device functions for other kernels; ``bits`` and ``uniform`` are
``Draws.bits`` and ``Draws.uniform``, computed on the device of the sample ids in one launch.

Method and counter layout are explained in ``domainkit/draws.py``. Triton is imported with this
module, so the module is imported only where a Triton kernel is about to run.
"""

# device functions: their arguments have the types that the launch gives them
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, misc"

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

if TYPE_CHECKING:
    from domainkit.draws import Draws

__all__ = ["bits", "philox_word", "uniform", "unit"]

_BLOCK = 256


@triton.jit
def philox_word(seed_low, seed_high, epoch, op, ids, position):
    """uint32: number ``position`` of samples ``ids`` (int64 tensors of one shape)."""
    c0 = (position >> 2).to(tl.uint32)
    c1 = ids.to(tl.uint32)
    c2 = (((ids >> 32) & 0xFFFF) | (op.to(tl.int64) << 16)).to(tl.uint32)
    c3 = (ids * 0 + epoch).to(tl.uint32)
    k0 = (ids * 0 + seed_low).to(tl.uint32)
    k1 = (ids * 0 + seed_high).to(tl.uint32)
    m0 = (ids * 0 + 0xD2511F53).to(tl.uint32)
    m1 = (ids * 0 + 0xCD9E8D57).to(tl.uint32)
    w0 = (ids * 0 + 0x9E3779B9).to(tl.uint32)
    w1 = (ids * 0 + 0xBB67AE85).to(tl.uint32)
    for _ in tl.static_range(10):
        high0 = tl.umulhi(c0, m0)
        high1 = tl.umulhi(c2, m1)
        low0 = c0 * m0
        low1 = c2 * m1
        c0 = high1 ^ c1 ^ k0
        c1 = low1
        c2 = high0 ^ c3 ^ k1
        c3 = low0
        k0 = k0 + w0
        k1 = k1 + w1
    lane = position & 3
    return tl.where(lane == 0, c0, tl.where(lane == 1, c1, tl.where(lane == 2, c2, c3)))


@triton.jit
def unit(word):
    """float32 in [0, 1): the upper 24 bits of a uint32."""
    return (word >> 8).to(tl.float32) * 5.9604644775390625e-08


@triton.jit(do_not_specialize=["seed_low", "seed_high", "epoch", "op", "start"])
def _draw(
    ids, out, count, n, seed_low, seed_high, epoch, op, start, FLOAT: tl.constexpr, B: tl.constexpr
):
    place = tl.program_id(0).to(tl.int64) * B + tl.arange(0, B)
    inside = place < count
    row = tl.load(ids + place // n, mask=inside, other=0)
    word = philox_word(seed_low, seed_high, epoch, op, row, start + place % n)
    if FLOAT:
        tl.store(out + place, unit(word), mask=inside)
    else:
        tl.store(out + place, word.to(tl.int64), mask=inside)


def bits(draws: Draws, n: int, *, start: int = 0) -> torch.Tensor:
    """int64 [B, n] with values uniform in [0, 2**32), on the device of the ids."""
    return _launch(draws, n, start, torch.int64)


def uniform(draws: Draws, n: int, *, start: int = 0) -> torch.Tensor:
    """float32 [B, n] uniform in [0, 1), on the device of the ids."""
    return _launch(draws, n, start, torch.float32)


def _launch(draws: Draws, n: int, start: int, dtype: torch.dtype) -> torch.Tensor:
    ids = draws.ids.contiguous()
    out = torch.empty(len(ids), n, dtype=dtype, device=ids.device)
    if out.numel():
        seed = int(draws.seed) & 0xFFFFFFFFFFFFFFFF
        _draw[(triton.cdiv(out.numel(), _BLOCK),)](
            *(ids, out, out.numel(), n, seed & 0xFFFFFFFF, seed >> 32, draws.epoch, draws.op),
            start,
            FLOAT=dtype == torch.float32,
            B=_BLOCK,
        )
    return out
