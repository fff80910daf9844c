"""What a T5 decoder remembers while it generates: keys and values, its own and the encoder's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from domainkit.text.models.t5_layers import T5Stack

__all__ = ["LayerCache", "T5Cache"]

FIRST = 16  # tokens there is room for at the start; the room doubles


class LayerCache:
    """The memory of one decoder layer.

    Args:
        memory_keys, memory_values: the encoder's output seen by this layer, [B, H, S, d].
        memory_mask: bool [B, 1, 1, S], False on padding, or None where there is none.
    """

    def __init__(
        self,
        memory_keys: torch.Tensor,
        memory_values: torch.Tensor,
        memory_mask: torch.Tensor | None,
    ) -> None:
        self.memory_keys, self.memory_values = memory_keys, memory_values
        self.memory_mask = memory_mask
        self.keys: torch.Tensor | None = None  # [R, H, room, d], the first `length` of it filled
        self.values: torch.Tensor | None = None
        self.length = 0

    def append(self, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take in one token's key and value, [R, H, 1, d]; all so far come back."""
        self.keys = _with_room(self.keys, k, self.length)
        self.values = _with_room(self.values, v, self.length)
        self.keys[:, :, self.length] = k[:, :, 0]
        self.values[:, :, self.length] = v[:, :, 0]
        self.length += 1
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def take_rows(self, rows: torch.Tensor) -> None:
        if self.keys is not None and self.values is not None:
            self.keys = self.keys.index_select(0, rows)
            self.values = self.values.index_select(0, rows)

    def take_sources(self, sources: torch.Tensor, longest: int) -> None:
        self.memory_keys = self.memory_keys[sources, :, :longest]
        self.memory_values = self.memory_values[sources, :, :longest]


def _with_room(buffer: torch.Tensor | None, new: torch.Tensor, length: int) -> torch.Tensor:
    if buffer is None:
        return new.new_empty(new.shape[0], new.shape[1], FIRST, new.shape[3])
    if length < buffer.shape[2]:
        return buffer
    return torch.cat([buffer, torch.empty_like(buffer)], dim=2)


class T5Cache:
    """The state of a batch that is being generated: ``B`` samples with ``beams`` rows each.

    Row ``b * beams + j`` is beam j of sample b. The beams of a sample share the keys and values of
    its source, which are computed once.

    Args:
        layers: one ``LayerCache`` for each decoder layer.
        lengths: int64 [B], tokens of each source, on the host.
        beams: rows per sample.
    """

    def __init__(self, layers: list[LayerCache], lengths: torch.Tensor, beams: int) -> None:
        self.layers, self.lengths, self.beams = layers, lengths, beams
        self._line: torch.Tensor | None = None  # the bias of distances 1 - room .. 0, [H, room]

    @property
    def length(self) -> int:
        """How many tokens each row has."""
        return self.layers[0].length

    def bias(self, stack: T5Stack) -> torch.Tensor:
        """The position bias of the next token: float [1, H, 1, tokens so far and itself]."""
        now = self.length + 1
        if self._line is None or self._line.shape[1] < now:
            device = self.layers[0].memory_keys.device
            self._line = stack.bias_of(torch.arange(1 - 2 * max(now, FIRST), 1, device=device))
        return self._line[None, :, None, -now:]

    def reorder(self, rows: torch.Tensor) -> None:
        """Row i goes on from what row ``rows[i]`` was, a beam of the same sample; int64 [R]."""
        for layer in self.layers:
            layer.take_rows(rows)

    def keep(self, samples: torch.Tensor) -> None:
        """Go on with these samples only, int64 [B'], rising."""
        beam = torch.arange(self.beams, device=samples.device)
        rows = (samples[:, None] * self.beams + beam).flatten()
        self.lengths = self.lengths[samples.cpu()]
        longest = max(int(self.lengths.max()), 1)  # attention over no keys is undefined
        mask = self.layers[0].memory_mask
        if mask is not None:
            mask = mask[samples, :, :, :longest]
            if bool((self.lengths == longest).all()):
                mask = None
        for layer in self.layers:
            layer.take_rows(rows)
            layer.take_sources(samples, longest)
            layer.memory_mask = mask
