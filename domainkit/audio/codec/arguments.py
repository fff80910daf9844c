"""Checks of arguments, said the same way by ``load``, ``save``, ``stream`` and ``Raw``."""

from __future__ import annotations

import operator
from typing import Any

from domainkit.errors import DecodeError

__all__ = ["HIGHEST_RATE", "as_rate", "as_whole"]

HIGHEST_RATE = 10_000_000  # Hz; beyond all recorders, and what a typing error soon is


def as_whole(name: str, value: Any, least: int) -> int:
    """A whole number of at least ``least``; numpy's count too.

    Raises:
        DecodeError: it is none.

    Example:
        >>> as_whole("num_frames", 3, -1)
        3
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise DecodeError(f"{name} is a whole number >= {least}, got {value!r}")
    return number


def as_rate(name: str, value: Any) -> int:
    """A sample rate in Hz.

    Raises:
        DecodeError: it is none.

    Example:
        >>> as_rate("sample_rate", 16000)
        16000
    """
    rate = as_whole(name, value, 1)
    if rate > HIGHEST_RATE:
        raise DecodeError(f"{name} is in 1..{HIGHEST_RATE} Hz, got {value!r}")
    return rate
