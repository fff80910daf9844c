"""How long samples are, in the unit of their column, without decoding them where a header tells.

Tokens   items              Image    pixels, height times width
Text     bytes of UTF-8     Audio    seconds
Boxes    boxes              numbers  their own value
"""

from __future__ import annotations

from typing import Any

import numpy as np

from domainkit.errors import DecodeError, StoreError
from domainkit.features import Audio, Boxes, Feature, Text, Tokens

__all__ = ["measure"]


def measure(source: Any, name: str, rows: np.ndarray) -> np.ndarray:
    """Lengths of a column.

    Args:
        source: a ``Store`` or another source of rows.
        name: the column.
        rows: int64 [k], rows of the source.

    Returns:
        [k] numbers; 0 for media that cannot be read or decoded, which an error will tell when their
        turn comes.

    Raises:
        TypeError: the column's samples all have one size.
    """
    feature = source.features[name]
    if feature.storage == "number":
        values: np.ndarray = source.take(rows, name)
        return values
    if isinstance(feature, (Tokens, Text)):
        sizes: np.ndarray = source.lengths(rows, name)
        return sizes
    if isinstance(feature, Boxes):
        return source.lengths(rows, name) // 4
    if not feature.media:
        raise TypeError(f"every sample of column {name!r} ({feature}) has the same size")
    return np.array([_length(feature, raw) for raw in _stored(source, name, rows)], np.float64)


def _stored(source: Any, name: str, rows: np.ndarray) -> list[Any]:
    """What is stored, None where it is damaged."""
    try:
        return list(source.take(rows, name))
    except StoreError:
        if len(rows) == 1:
            return [None]
        half = len(rows) // 2
        return _stored(source, name, rows[:half]) + _stored(source, name, rows[half:])


def _length(feature: Feature, raw: Any) -> float:
    if raw is None:
        return 0.0
    try:
        shape = feature.shape_of(raw)
        if shape is None:
            shape = feature.decode(raw).shape
        if isinstance(feature, Audio):
            return shape[-1] / feature.rate_of(raw)
    except DecodeError:
        return 0.0
    return float(shape[-2] * shape[-1])
