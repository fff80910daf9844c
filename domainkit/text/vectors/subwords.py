"""fastText's character n-grams and their hash (P. Bojanowski et al., arXiv:1607.04606).

A word is put between ``<`` and ``>``; each run of minn to maxn of its characters, but for the two
marks alone, is hashed by FNV-1a of 32 bits. fastText takes bytes with their sign, so one above 127
turns over all upper bits; that is part of the format. All n-grams of a batch of words are hashed at
once, a byte of each at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["mean_of_rows", "ngram_buckets"]

_BASIS = np.uint32(2166136261)
_PRIME = np.uint32(16777619)


def ngram_buckets(
    words: Sequence[bytes], minn: int, maxn: int, buckets: int
) -> tuple[np.ndarray, np.ndarray]:
    """The buckets of the words' n-grams, in fastText's order.

    Returns:
        int64 [K], those of the first word first, and int64 [n], how many each word has. ``</s>``,
        fastText's end of a sentence, has none.

    Example:
        >>> ngram_buckets([b"ab", b"c"], 3, 3, 2_000_000)
        (array([ 209508, 1241756,  793410]), array([2, 1]))
    """
    marked = [b"<" + word + b">" if word != b"</s>" else b"" for word in words]
    if minn > maxn or maxn < 1 or buckets < 1:
        return np.zeros(0, np.int64), np.zeros(len(words), np.int64)
    lengths = np.fromiter(map(len, marked), np.int64, len(marked))
    text = np.frombuffer(b"".join(marked), np.uint8)
    signed = text.view(np.int8).astype(np.int32).view(np.uint32)
    leads = (text & 0xC0) != 0x80  # begins a character
    word_of = np.repeat(np.arange(len(marked)), lengths)
    ends = np.cumsum(lengths)

    start = np.flatnonzero(leads)
    owner = word_of[start]
    end = ends[owner]
    at = start.copy()
    hashed = np.full(len(start), _BASIS)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for n in range(1, maxn + 1):
        on = at < end
        start, owner, end, at, hashed = start[on], owner[on], end[on], at[on], hashed[on]
        hashed = (hashed ^ signed[at]) * _PRIME
        at += 1
        while True:  # the other bytes of the character
            more = np.flatnonzero((at < end) & ~leads[np.minimum(at, len(leads) - 1)])
            if not len(more):
                break
            hashed[more] = (hashed[more] ^ signed[at[more]]) * _PRIME
            at[more] += 1
        if n >= minn:
            first = start == end - lengths[owner]
            kept = ~(first | (at == end)) if n == 1 else slice(None)
            found.append((start[kept], owner[kept], hashed[kept]))
    starts, owners, hashes = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(starts, kind="stable")  # by place, then by length
    ids = hashes[order].astype(np.int64) % buckets
    return ids, np.bincount(owners, minlength=len(marked))


def mean_of_rows(
    ngrams: np.ndarray, ids: np.ndarray, counts: np.ndarray, own: np.ndarray | None = None
) -> np.ndarray:
    """The mean of each word's own vector, if there is one, and its n-grams': float32 [n, dim].

    Args:
        ngrams: float32 [buckets, dim].
        ids, counts: as ``ngram_buckets`` gives them.
        own: float32 [n, dim] or None.
    """
    out = np.zeros((len(counts), ngrams.shape[1]), np.float32) if own is None else own.copy()
    some = counts > 0
    if some.any():
        starts = (np.cumsum(counts) - counts)[some]
        out[some] += np.add.reduceat(ngrams[ids], starts, axis=0)
    total = counts + (own is not None)
    return out / np.maximum(total, 1)[:, None].astype(np.float32)
