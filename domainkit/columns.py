"""``room_for``: the array that many rows of one column go into, the caller's own or a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from domainkit.features import Feature

__all__ = ["room_for"]


def room_for(rows: int, name: str, feature: Feature, out: np.ndarray | None = None) -> np.ndarray:
    """An array for the stored form of a "number" or "fixed" column.

    Args:
        rows: how many.
        name: the column's, for the message.
        feature: what the column holds.
        out: an array of the caller's to use; for "fixed" columns only.

    Returns:
        [rows] of ``dtype_stored``, or uint8 [rows, width].

    Raises:
        ValueError: ``out`` is not contiguous uint8 [rows, width], or the column has no width.

    Example:
        >>> from domainkit.features import Tensor
        >>> room_for(2, "grid", Tensor(dtype="int16", shape=(2, 3))).shape
        (2, 12)
    """
    if feature.storage == "fixed":
        if out is None:
            return np.empty((rows, feature.width), np.uint8)
        if out.shape == (rows, feature.width) and out.dtype == np.uint8 and out.flags.c_contiguous:
            return out
        raise ValueError(
            f"out= must be contiguous uint8 [{rows}, {feature.width}] for column {name!r}, got "
            f"{out.dtype} {list(out.shape)}"
        )
    if out is not None:
        raise ValueError(
            f"out= is for columns of one width, {name!r} is {feature.storage!r}: leave it out"
        )
    return np.empty(rows if feature.storage == "number" else 0, feature.dtype_stored or "uint8")
