"""Random numbers that belong to a sample: Philox 4x32-10, computed from a counter.

A draw is a function of (seed, epoch, sample id, op, position) and of nothing else, so a sample
gets the same augmentation on any device, in any batch size, with any number of threads or ranks,
and after any restart. No generator state exists that could be lost or shared.

Counter layout (four 32-bit words) and key (two):

    c0 = block of four numbers within the op        k0 = low half of the seed
    c1 = low half of the sample id                  k1 = high half of the seed
    c2 = op << 16 | bits 32..47 of the sample id
    c3 = epoch

Source of the method: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
(SC 2011). The constants are theirs; tests compare with the known answers published beside the
paper's own library (Random123).

The arithmetic is written once for numpy and torch: 64-bit integer products wrap in both, and the
low 64 bits of a product of two 32-bit numbers are exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

__all__ = ["Draws", "philox"]

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # golden ratio and sqrt(3) - 1, as 32-bit fractions
ROUNDS = 10
MAX_OP = 0xFFFE  # ops of a pipeline are numbered 0, 1, 2 ...; 0xFFFF is the order's and nesting's
MAX_ID = 1 << 48


def philox(counter: Sequence[Any], key: tuple[int, int]) -> tuple[Any, Any, Any, Any]:
    """Ten rounds of Philox 4x32 on a counter of four words.

    Args:
        counter: four int64 arrays (numpy or torch, broadcastable) with values in [0, 2**32).
        key: two Python ints in [0, 2**32).

    Returns:
        four int64 arrays with values in [0, 2**32).

    Example:
        >>> zero = torch.zeros(1, dtype=torch.int64)
        >>> [hex(int(word[0])) for word in philox([zero] * 4, (0, 0))]
        ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        low = c0 * MULTIPLIERS[0]
        high = c2 * MULTIPLIERS[1]
        # an arithmetic shift smears the sign into the upper half; the mask takes it off again
        c0, c1, c2, c3 = (
            ((high >> 32) & MASK) ^ c1 ^ k0,
            high & MASK,
            ((low >> 32) & MASK) ^ c3 ^ k1,
            low & MASK,
        )
        k0 = (k0 + WEYL[0]) & MASK
        k1 = (k1 + WEYL[1]) & MASK
    return c0, c1, c2, c3


@dataclass(frozen=True)
class Draws:
    """The random numbers of one op for one batch of samples.

    Args:
        seed: any Python int; its low 64 bits are the key.
        epoch: in [0, 2**32); under torch.compile and torch.export an int64 tensor [] too.
        ids: int64 tensor [B], one id per sample in [0, 2**48).
        op: which op of the pipeline is drawing; ``at(op)`` gives a step's numbers.
        depth: how deep in nested pipelines; ``at`` counts it.

    Every method returns one row per sample. ``start`` skips numbers already used by the same op,
    so ``uniform(2)`` and ``uniform(2, start=2)`` never overlap.

    Example:
        >>> draws = Draws(seed=0, epoch=3, ids=torch.tensor([7, 8, 9]))
        >>> alone = Draws(seed=0, epoch=3, ids=torch.tensor([8]))
        >>> bool((draws.uniform(4)[1] == alone.uniform(4)[0]).all())
        True
    """

    seed: int
    epoch: int
    ids: torch.Tensor
    op: int = 0
    depth: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.op <= MAX_OP:
            raise ValueError(f"op must be in [0, {MAX_OP}], got {self.op}")
        if isinstance(self.epoch, int) and not 0 <= self.epoch <= MASK:
            raise ValueError(f"epoch must be in [0, 2**32), got {self.epoch}")
        if self.ids.dtype != torch.int64 or self.ids.ndim != 1:
            raise ValueError(
                f"ids must be an int64 tensor [B], got {self.ids.dtype} {tuple(self.ids.shape)}"
            )

    @classmethod
    def from_generator(cls, batch: int, generator: torch.Generator | None = None) -> Draws:
        """Draws for ``batch`` unnamed samples, keyed by torch's generator (None: the default).

        This is what a transform uses when it is called by hand: ``torch.manual_seed`` decides.
        """
        seed = int(torch.randint(0, 2**63 - 1, (), dtype=torch.int64, generator=generator))
        return cls(seed=seed, epoch=0, ids=torch.arange(batch))

    def __len__(self) -> int:
        return len(self.ids)

    def at(self, op: int) -> Draws:
        """The same samples' numbers for step ``op`` of a pipeline.

        The draws of a step that is a pipeline itself (``draws.at(3).at(0)``) have a seed of their
        own, made from this one's and its op, so that no two steps of any nesting share numbers.
        """
        if self.depth == 0:
            return replace(self, op=op, depth=1)
        seed = int(self.seed) & 0xFFFFFFFFFFFFFFFF
        zero = torch.zeros(1, dtype=torch.int64)
        # c2 of the order is 0xFFFF0000, of a step op << 16: this one is nobody else's
        counter = (zero + self.op, zero, zero + ((MAX_OP + 1) << 16 | 1), zero + self.depth)
        low, high, _, _ = philox(counter, (seed & MASK, seed >> 32))
        return replace(self, seed=int(low[0]) | int(high[0]) << 32, op=op, depth=self.depth + 1)

    def bits(self, n: int, *, start: int = 0, device: Any = None) -> torch.Tensor:
        """int64 [B, n] with values uniform in [0, 2**32)."""
        first = start >> 2
        if device is None or torch.compiler.is_compiling():  # a graph must not wait for the host
            device = self.ids.device
        block = torch.arange(first, (start + n + 3) >> 2, device=device)
        words = self._words(self.ids.to(block.device)[:, None], block[None, :])
        skipped = start - 4 * first
        return torch.stack(words, -1).flatten(1)[:, skipped : skipped + n].contiguous()

    def uniform(
        self, n: int, low: float = 0.0, high: float = 1.0, *, start: int = 0, device: Any = None
    ) -> torch.Tensor:
        """float32 [B, n] uniform in [low, high): 24 random bits each, exact on every device."""
        unit = _unit(self.bits(n, start=start, device=device))
        if (low, high) == (0.0, 1.0):
            return unit
        values = low + (high - low) * unit
        # [1, 2) holds half as many float32 as ``unit`` has values, so the sum may round up to high
        return values.clamp_(max=_below(high)) if low < high else values

    def integers(
        self, n: int, low: int, high: int, *, start: int = 0, device: Any = None
    ) -> torch.Tensor:
        """int64 [B, n] uniform in [low, high); ``high - low`` is at most 2**31.

        The bias of scaling 32 bits to a range of r is below r / 2**32.
        """
        if not 0 < high - low <= 1 << 31:
            raise ValueError(f"need 0 < high - low <= 2**31, got low={low}, high={high}")
        return low + ((self.bits(n, start=start, device=device) * (high - low)) >> 32)

    def normal(self, n: int, *, start: int = 0, device: Any = None) -> torch.Tensor:
        """float32 [B, n] standard normal, by Box and Muller's transform.

        Number j uses uniforms 2j and 2j + 1, so ``start`` counts normals here.
        """
        pairs = _unit(self.bits(2 * n, start=2 * start, device=device)).unflatten(1, (n, 2))
        radius = (-2.0 * torch.log1p(-pairs[..., 0])).sqrt()  # 1 - u is in (0, 1]: never log(0)
        return radius * torch.cos(2.0 * math.pi * pairs[..., 1])

    def uniform_ragged(self, offsets: torch.Tensor, *, start: int = 0) -> torch.Tensor:
        """float32 [N]: one number in [0, 1) per element of a ragged batch.

        Args:
            offsets: int64 [B + 1] as in ``Ragged``; N is its last value. Element j of sample b gets
                the number at position ``start + j`` of that sample, whatever the batch.
        """
        lengths = offsets.diff()
        total = int(offsets[-1])
        first = torch.repeat_interleave(offsets[:-1], lengths, output_size=total)
        ids = torch.repeat_interleave(self.ids.to(offsets.device), lengths, output_size=total)
        position = start + torch.arange(total, device=offsets.device) - first
        return _unit(self._bits(ids, position))

    def _words(self, ids: torch.Tensor, block: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The four numbers of each block."""
        seed = int(self.seed) & 0xFFFFFFFFFFFFFFFF
        c2 = ((ids >> 32) & 0xFFFF) | (self.op << 16)
        c3 = torch.zeros_like(c2) + self.epoch
        return philox((block, ids & MASK, c2, c3), (seed & MASK, seed >> 32))

    def _bits(self, ids: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        words = self._words(ids, position >> 2)
        lane = (position & 3).expand(torch.broadcast_shapes(ids.shape, position.shape))
        stacked = torch.stack([w.expand(lane.shape) for w in words], -1)
        return stacked.gather(-1, lane.unsqueeze(-1)).squeeze(-1)


def _unit(bits: torch.Tensor) -> torch.Tensor:
    # the upper 24 bits are what float32 holds exactly: every value is a multiple of 2**-24 below 1
    return (bits >> 8).to(torch.float32) * 2.0**-24


def _below(high: float) -> float:
    """The largest float32 under ``high``."""
    nearest = torch.tensor(high, dtype=torch.float32)
    lower = torch.nextafter(nearest, torch.tensor(-math.inf))
    return float(lower if float(nearest) >= high else nearest)
