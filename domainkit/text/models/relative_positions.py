"""``relative_buckets``: distances between tokens in classes, fine for near ones, coarse for far."""

from __future__ import annotations

import math
from typing import Any

import torch

__all__ = ["relative_buckets"]


def relative_buckets(
    length: int,
    buckets: int,
    *,
    max_distance: int = 128,
    both_ways: bool = True,
    first: int = 0,
    device: Any = None,
) -> torch.Tensor:
    """The class of each distance from a query to a key: int64 [length - first, length].

    Method: T5 (Raffel et al., JMLR 2020, 2.1), which MPNet takes over. Half of the classes are one
    distance each; the others grow with the logarithm up to ``max_distance`` and hold all beyond.

    Args:
        length: of the keys.
        buckets: how many classes.
        max_distance: where the last class begins.
        both_ways: whether keys behind the query have classes of their own (half of them); else
            they count as distance 0.
        first: the queries are tokens first .. length - 1.

    Example:
        >>> relative_buckets(3, 32)
        tensor([[ 0, 17, 18],
                [ 1,  0, 17],
                [ 2,  1,  0]])
    """
    key = torch.arange(length, device=device)
    distance = key[None, :] - key[first:, None]
    offset = torch.zeros_like(distance)
    if both_ways:
        buckets //= 2
        offset = (distance > 0).to(torch.int64) * buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    exact = buckets // 2
    # in float32, as those who trained the weights did
    far = torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    coarse = (exact + (far * (buckets - exact)).to(torch.int64)).clamp(max=buckets - 1)
    return offset + torch.where(distance < exact, distance, coarse)
