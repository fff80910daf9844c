"""``relative_buckets``: distances between tokens in classes, fine for near ones, coarse for far."""

from __future__ import annotations

import math
from typing import Any

import torch

__all__ = ["position_buckets", "relative_buckets"]


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
    return position_buckets(distance, both_ways=both_ways, buckets=buckets, farthest=max_distance)


def position_buckets(
    distance: torch.Tensor, *, both_ways: bool, buckets: int, farthest: int
) -> torch.Tensor:
    """Which bucket a distance falls in: int64, of the shape of ``distance`` (key minus query).

    Half of the buckets hold one distance each, the others grow with the logarithm up to
    ``farthest``. An encoder looks both ways and spends half of its buckets on each; a decoder puts
    all that lies ahead into bucket 0, which its mask hides.

    Example:
        >>> distance = torch.tensor([-200, -9, -1, 0, 1, 9])
        >>> position_buckets(distance, both_ways=True, buckets=32, farthest=128).tolist()
        [15, 8, 1, 0, 17, 24]
        >>> position_buckets(distance, both_ways=False, buckets=32, farthest=128).tolist()
        [31, 9, 1, 0, 0, 0]
    """
    ahead = torch.zeros_like(distance)
    if both_ways:
        buckets //= 2
        ahead = (distance > 0) * buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    single = buckets // 2
    # single buckets up to `single`, then equal steps of the logarithm; float32 as models learned it
    ratio = (distance.clamp(min=1).float() / single).log() / math.log(farthest / single)
    large = single + (ratio * (buckets - single)).long()
    return ahead + torch.where(distance < single, distance, large.clamp(max=buckets - 1))
