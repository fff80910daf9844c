"""Arguments of geometry transforms as torchvision writes them: interpolations, angles, fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domainkit.errors import TransformError

__all__ = ["as_angles", "as_fill", "as_interpolation", "as_pair", "as_probability"]

_PILLOW = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
Fill = float | tuple[float, ...] | None


def as_interpolation(op: Any, value: Any, known: Sequence[str]) -> str:
    """The name of an interpolation given by name, as torchvision's enum or as Pillow's number."""
    name = getattr(value, "value", value)
    if isinstance(name, int):
        name = _PILLOW.get(name, name)
    if name not in known:
        raise TransformError(
            f"{type(op).__name__}: interpolation must be one of {', '.join(known)}, got {value!r}"
        )
    return str(name)


def as_angles(op: Any, name: str, value: Any, lengths: Sequence[int] = (2,)) -> tuple[float, ...]:
    """(low, high) of a number v (-v to v) or of a sequence; in degrees."""
    if _is_number(value) and value >= 0:
        return (-float(value), float(value))
    right = isinstance(value, (tuple, list)) and len(value) in lengths
    if not right or not all(map(_is_number, value)) or value[0] > value[1]:
        raise TransformError(
            f"{type(op).__name__}: {name} must be a number >= 0 or "
            f"{' or '.join(map(str, lengths))} numbers, low before high, got {value!r}"
        )
    if len(value) == 4 and value[2] > value[3]:
        raise TransformError(f"{type(op).__name__}: {name}[2] is above {name}[3]: {value!r}")
    return tuple(map(float, value))


def as_pair(op: Any, name: str, value: Any, low: float, high: float) -> tuple[float, float]:
    """Two numbers within [low, high]."""
    if (
        not isinstance(value, (tuple, list))
        or len(value) != 2
        or not all(_is_number(v) and low <= v <= high for v in value)
    ):
        raise TransformError(
            f"{type(op).__name__}: {name} must be two numbers in [{low:g}, {high:g}], got {value!r}"
        )
    return float(value[0]), float(value[1])


def as_fill(op: Any, value: Any) -> Fill:
    """A number, one per channel (a list becomes a tuple), or None."""
    if value is None or _is_number(value):
        return value
    if isinstance(value, (tuple, list)) and value and all(map(_is_number, value)):
        return tuple(value)
    raise TransformError(
        f"{type(op).__name__}: fill must be a number or one per channel, got {value!r}"
    )


def as_probability(op: Any, p: Any) -> float:
    """A number in [0, 1]."""
    if not _is_number(p) or not 0 <= p <= 1:
        raise TransformError(f"{type(op).__name__}: p must be in [0, 1], got {p!r}")
    return float(p)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
