"""Texts on which two libraries may part although both are right: they go to the reference.

Where two ways to cut a text score alike, libraries choose by order or by rounding. For pieces of
one vocabulary that happens in repetitions ("!!!!!" is "!!" + "!!!" and "!!!" + "!!": two words
commute only if both are powers of a third). And the normalizer of ``tokenizers`` looks at a letter
with its combining marks as one, where SentencePiece takes the longest entry of its table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

__all__ = ["marks", "repetitions", "risky_threes"]

# combining marks, and Hangul jamo, which compose with what stands before them
_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0711"
    "\u0730-\u074a\u07eb-\u07f3\u0900-\u0903\u093a-\u094f\u0980-\u0983\u09bc-\u09d7\u0a01-\u0a51"
    "\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b57\u0b82-\u0bd7\u0c00-\u0c56\u0c81-\u0cd6\u0d00-\u0d57"
    "\u0dca-\u0ddf\u0f18-\u0fbc\u102b-\u103e\u1100-\u11ff\u1b00-\u1b44\u1dc0-\u1dff\u20d0-\u20f0"
    "\u3099\u309a\ufe00-\ufe0f\ufe20-\ufe2f\u200d\u2581]"
)


def marks(texts: list[str]) -> np.ndarray:
    """bool [texts]: whether a text holds a combining mark, a jamo or a "▁" of its own."""
    found = (not text.isascii() and _MARKS.search(text) is not None for text in texts)
    return np.fromiter(found, bool, len(texts))


def risky_threes(scores: Mapping[str, float]) -> str:
    """Characters of which three in a row are best cut as one and two, in either order."""
    never = float("-inf")
    pairs = [piece for piece in scores if len(piece) == 2 and piece[0] == piece[1]]
    risky = (
        pair[0]
        for pair in pairs
        if scores.get(pair[0] * 3, never) <= scores[pair] + scores.get(pair[0], never) + 1e-3
    )
    return "".join(risky)


def repetitions(texts: list[str], *, threes: str, spaces: bool) -> np.ndarray:
    """bool [texts]: whether something of two to four characters comes three times in a row.

    Of a single character it takes four, or three where it is one of ``threes``; spaces count only
    with ``spaces``. A few other texts may be among them.
    """
    doubtful = np.zeros(len(texts), bool)
    points = np.frombuffer("\0".join(texts).encode("utf-32-le"), np.uint32)
    risky = np.array([ord(character) for character in threes], np.uint32)
    at = [_runs(points, risky, spaces), *(_repeats(points, period) for period in (2, 3, 4))]
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1)
    doubtful[np.searchsorted(ends, np.concatenate(at), side="right")] = True
    return doubtful


def _runs(points: np.ndarray, risky: np.ndarray, spaces: bool) -> np.ndarray:
    same = points[1:] == points[:-1]
    at = np.flatnonzero(same[1:] & same[:-1])  # three of a kind begin here
    four = np.append(same, [False, False])[at + 2]
    at = at[four | np.isin(points[at], risky)]
    return at[(points[at] != 0) & (spaces | (points[at] != 32))]


def _repeats(points: np.ndarray, period: int) -> np.ndarray:
    # three times in a row: 2 * period places where points[i] == points[i + period]. Whichever those
    # are, one of the first `period` is a multiple of it, and `period` more follow it.
    last = len(points) - 2 * period
    at = np.arange(0, max(last, 0), period)
    for step in range(period + 1):
        here = points[at + step]
        at = at[(here == points[at + step + period]) & (here != 0)]  # 0 stands between texts
    one = points[at] == points[at + 1]  # a run of one character is no matter of this function
    return at[~(one & (points[at] == points[at + period - 1]))]
