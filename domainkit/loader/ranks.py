"""This process's place among the others: rank and world size."""

from __future__ import annotations

import os

import torch

__all__ = ["find_rank"]


def find_rank(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Rank and world size as given, or from torch.distributed, or from torchrun's environment.

    Raises:
        ValueError: only one of them is given, or the rank is not below the world size.

    Example:
        >>> find_rank(1, 4)
        (1, 4)
    """
    if (rank is None) != (world_size is None):
        raise ValueError("give both rank and world_size, or neither")
    if rank is None or world_size is None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        rank = int(os.environ.get("RANK", "0"))
        world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if not 0 <= rank < world_size:
        raise ValueError(f"rank must be in [0, {world_size}), got {rank}")
    return rank, world_size
