"""``random_spans``: random places for spans of tokens, for every sample of a batch at once.

Method: a fixed share of each sequence, in spans of random lengths with a given mean, as in T5
(Raffel et al., "Exploring the limits of transfer learning with a unified text-to-text
transformer", JMLR 2020, 3.3.4). The n hidden tokens are cut into k spans by choosing k - 1 of the
n - 1 gaps, all choices alike; those that stay are cut the same way; then the two alternate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from domainkit.draws import Draws

__all__ = ["Spans", "compact", "random_spans"]

KEPT, HIDDEN = 1 << 34, 3 << 33  # where the draws of the two partitions begin


class Spans(NamedTuple):
    """``hidden`` bool [N], the tokens in spans; ``begins`` bool [N], the first of each span;
    ``number`` int64 [N], which span of its sample (or the last before it; -1 before the first);
    ``counts`` and ``spans`` int64 [B] on the host, hidden tokens and spans of each sample."""

    hidden: torch.Tensor
    begins: torch.Tensor
    number: torch.Tensor
    counts: np.ndarray
    spans: np.ndarray


def random_spans(
    lengths: np.ndarray,
    density: float,
    mean_length: float,
    draws: Draws,
    device: torch.device,
    *,
    tail: bool = False,
) -> Spans:
    """Spans for samples of these lengths.

    Args:
        lengths: int64 [B] on the host.
        density: share of the tokens that spans cover; at least one token of each sample, and at
            least one stays. Samples with less than two tokens get no span.
        mean_length: tokens of a span in the mean; the number of spans is rounded.
        tail: T5's last span ends where the text does (False); True lets some tokens stay behind
            it, as before each span, where there are enough.

    Example:
        >>> spans = random_spans(np.array([8]), 0.5, 2.0, Draws(0, 0, torch.tensor([3])), "cpu")
        >>> int(spans.hidden.sum()), int(spans.begins.sum()), bool(spans.hidden[0])
        (4, 2, False)
    """
    hidden = np.clip(np.rint(lengths * density).astype(np.int64), 1, np.maximum(lengths - 1, 1))
    hidden = np.where((lengths > 1) & (density > 0), hidden, 0)
    kept = lengths - hidden
    spans = np.clip(np.rint(hidden / mean_length).astype(np.int64), 1, np.minimum(hidden, kept))
    spans = np.where(hidden > 0, spans, 0)
    parts = spans + (kept > spans) if tail else spans
    # before[t] of a sample: its hidden tokens in spans 0 .. t - 1, for t up to the number of spans
    slots = _first_of(spans + 1)
    before = torch.zeros(int((spans + 1).sum()) + 1, dtype=torch.int64, device=device)
    before[torch.from_numpy(slots + spans).to(device)] = torch.from_numpy(hidden).to(device)
    begins = _cut(hidden, spans, draws, HIDDEN, device)
    slot = _segment(begins, hidden, device) + _spread(slots, hidden, device)
    before[torch.where(begins, slot, len(before) - 1)] = _within(hidden, device)
    # kept token i in part t lies behind all hidden tokens of spans 0 .. t - 1
    part = _segment(_cut(kept, parts, draws, KEPT, device), kept, device).clamp(min=0)
    shift = before[part + _spread(slots, kept, device)]
    at = _within(kept, device) + _spread(_first_of(lengths), kept, device)
    mask = torch.ones(int(lengths.sum()), dtype=torch.bool, device=device)
    mask[at + shift] = False
    starts = mask.clone()
    starts[1:] &= ~mask[:-1]  # a sample begins with a token that stays, so spans never touch
    number = starts.cumsum(0) - 1 - _spread(_first_of(spans), lengths, device)
    return Spans(mask, starts, number, hidden, spans)


def compact(values: torch.Tensor, keep: torch.Tensor, total: int) -> torch.Tensor:
    """``values[keep]``, for a total that the host knows, without waiting for the device.

    Example:
        >>> compact(torch.tensor([4, 5, 6]), torch.tensor([True, False, True]), 2)
        tensor([4, 6])
    """
    out = values.new_empty(total + 1)
    out[torch.where(keep, keep.cumsum(0) - 1, total)] = values
    return out[:total]


def _cut(
    counts: np.ndarray, parts: np.ndarray, draws: Draws, start: int, device: torch.device
) -> torch.Tensor:
    """bool [sum counts]: where the parts of each sample begin; the first always does."""
    if not counts.sum():
        return torch.zeros(0, dtype=torch.bool, device=device)
    offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(counts)])).to(device)
    key = draws.uniform_ragged(offsets, start=start).to(torch.float64)
    place = _within(counts, device)
    # twice the sample: keys of one lie in [2 b - 0.5, 2 b + 1), apart from the next one's
    sample = 2 * _spread(np.arange(len(counts)), counts, device)
    key = torch.where(place == 0, -0.5, key) + sample
    order = torch.sort(key, stable=True).indices
    rank = torch.empty_like(place)
    rank[order] = place  # sorted by sample first, so the ranks of a sample are its places
    return rank < _spread(parts, counts, device)


def _first_of(counts: np.ndarray) -> np.ndarray:
    return np.cumsum(counts) - counts


def _spread(values: np.ndarray, counts: np.ndarray, device: torch.device) -> torch.Tensor:
    """A number per sample as one per element."""
    x, n = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in (values, counts))
    return torch.repeat_interleave(x, n, output_size=int(counts.sum()))


def _within(counts: np.ndarray, device: torch.device) -> torch.Tensor:
    """0, 1, 2 ... in each sample."""
    return torch.arange(int(counts.sum()), device=device) - _spread(
        _first_of(counts), counts, device
    )


def _segment(begins: torch.Tensor, counts: np.ndarray, device: torch.device) -> torch.Tensor:
    """Which part of its sample each element is in; ``begins`` says where the parts begin."""
    if not len(begins):
        return torch.zeros(0, dtype=torch.int64, device=device)
    total = begins.cumsum(0)
    before = torch.cat([total.new_zeros(1), total])[torch.from_numpy(_first_of(counts)).to(device)]
    n = torch.from_numpy(counts).to(device)
    return total - 1 - torch.repeat_interleave(before, n, output_size=len(begins))
