"""What the words of an effect mean: numbers, frequencies, widths, times and places, as SoX has it.

Source: the manual of SoX (sox.sourceforge.net/sox.html); the width of a filter follows R.
Bristow-Johnson's cookbook.
"""

from __future__ import annotations

import math
import re

from domainkit.audio.transforms._effect_steps import Position

__all__ = ["decibels_or_factor", "frequency", "number", "position", "samples", "sharpness"]

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def number(word: str) -> float:
    """A number; ValueError for anything else, as in all functions here."""
    if not re.fullmatch(_NUMBER, word):
        raise ValueError(f"{word!r} is no number")
    return float(word)


def frequency(word: str) -> float:
    """Hz: "440", or "3k" for 3000."""
    match = re.fullmatch(f"({_NUMBER})(k?)", word)
    if not match:
        raise ValueError(f"{word!r} is no frequency such as 440 or 3k")
    return float(match[1]) * (1000 if match[2] else 1)


def sharpness(
    word: str, unit: str, hertz: float, rate: int, gain: float | None = None, *, band: bool = False
) -> float:
    """The Q of a filter from its width.

    Args:
        word: a number and its unit: q (Q), o (octaves), h (Hz), k (kHz), s (slope, of shelves).
        unit: of a number without one.
        hertz: the filter's frequency. rate: Hz.
        gain: of a shelf, in decibels.
        band: of SoX's effect "band", whose octaves are those of an analogue filter.
    """
    units = "qohks" if gain is not None else "qohk"
    match = re.fullmatch(f"({_NUMBER})([{units}]?)", word)
    if not match or not float(match[1]) > 0:
        raise ValueError(f"{word!r} is no width: a number above 0 with one of {', '.join(units)}")
    value, unit = float(match[1]), match[2] or unit
    if unit == "q":
        return value
    if unit in "hk":
        return hertz / (value * (1000 if unit == "k" else 1))
    if unit == "s":
        assert gain is not None, "only shelves have a slope"
        a = 10 ** (gain / 40)
        inside = (a + 1 / a) * (1 / value - 1) + 2
        if inside <= 0:
            raise ValueError(f"{word!r} is too steep a slope")
        return 1 / math.sqrt(inside)
    if band:
        return 2 ** (value / 2) / (2**value - 1)
    w = 2 * math.pi * hertz / rate
    if not 0 < w < math.pi:
        raise ValueError(f"the frequency must lie in (0, {rate / 2:g}) Hz, got {hertz:g}")
    return 1 / (2 * math.sinh(math.log(2) / 2 * value * w / math.sin(w)))


def samples(word: str, rate: int) -> int:
    """A time: seconds ("1.5"), minutes and hours before them ("1:02.5"), or samples ("8000s")."""
    if re.fullmatch(r"\d+s", word):
        return int(word[:-1])
    if not re.fullmatch(r"(?:\d+:){0,2}(?:\d+\.?\d*|\.\d+)", word):
        raise ValueError(f"{word!r} is no time such as 1.5, 1:02.5 or 8000s")
    seconds = 0.0
    for part in word.split(":"):
        seconds = 60 * seconds + float(part)
    return math.floor(seconds * rate + 0.5)


def position(word: str, rate: int, unsaid: str) -> Position:
    """A place: "=time" from the start, "-time" from the end, "+time" from the place before it."""
    if word[:1] in ("=", "-", "+"):
        return word[0], samples(word[1:], rate)
    return unsaid, samples(word, rate)


def decibels_or_factor(words: list[str]) -> float:
    """The factor of SoX's "vol": "0.5", "-6dB", or a number and its kind."""
    match = re.fullmatch(f"({_NUMBER})(dB|db)?", words[0])
    kind = words[1].lower() if len(words) > 1 else "amplitude"
    if not match or (match[2] and len(words) > 1) or kind not in ("amplitude", "power", "db"):
        raise ValueError(f"{' '.join(words)!r} is no volume such as 0.5, -6dB, 0.25 power")
    value = float(match[1])
    if match[2] or kind == "db":
        return float(10 ** (value / 20))
    return math.copysign(math.sqrt(abs(value)), value) if kind == "power" else value
