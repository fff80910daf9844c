"""fastText's ``.bin``: a dictionary, and one matrix for words and for hashed n-grams.

The layout, all numbers lowest byte first (facebookresearch/fastText, versions 11 and 12):

    int32 magic 793712314, int32 version
    int32 dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate
    float64 t
    int32 entries, words, labels; int64 tokens, pruned
    per entry: its bytes, a zero byte, int64 count, int8 kind (0 word, 1 label)
    bool quantized
    int64 rows (words + bucket), int64 dim, float32 [rows, dim]
    then the output layer, which gives no vectors

The vector of a word is the mean of its own row and those of its n-grams (``subwords``); a word that
is not in the dictionary is the mean of its n-grams.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from domainkit.errors import DecodeError
from domainkit.text.vectors.source import Source
from domainkit.text.vectors.subwords import mean_of_rows, ngram_buckets
from domainkit.text.vectors.table import Maker, NpyWriter

__all__ = ["MAGIC", "read_fasttext"]

MAGIC = struct.pack("<i", 793712314)
_SUPERVISED = 3
_LONGEST = 1 << 16  # bytes of a word
_AT_ONCE = 1 << 13  # words whose vectors are made together


@dataclass(frozen=True)
class _Head:
    """What the file says of itself."""

    dim: int
    bucket: int
    minn: int
    maxn: int


def read_fasttext(source: Source, maker: Maker) -> None:
    """Gives all words and their vectors to ``maker``, and the vectors of the n-grams' buckets.

    Raises:
        DecodeError: another version, a quantized model, cut off, or sizes that do not fit.
    """
    head = _read_head(source)
    words, pruned = _read_dictionary(source)
    if source.read(1, "the input matrix") != b"\x00" or pruned > 0:
        raise DecodeError(
            f"{source.label}: is a quantized model (.ftz), whose vectors are not kept as such. "
            "Take the .bin that it was made from."
        )
    rows, dim = struct.unpack("<qq", source.read(16, "the input matrix"))
    buckets = rows - len(words)
    hashed = head.bucket if head.maxn > 0 and pruned < 0 else 0
    if dim != head.dim or buckets < 0 or (hashed and buckets != hashed):
        raise DecodeError(
            f"{source.label}: has a matrix [{rows}, {dim}] for {len(words)} words and "
            f"{head.bucket} buckets of dim {head.dim}: it is damaged. Fetch it again."
        )
    own = maker.writer("own", dim)
    _copy(source, own, len(words), words)
    if hashed:
        grams = maker.writer("ngrams", dim)
        _copy(source, grams, buckets)
        maker.facts |= {"minn": head.minn, "maxn": head.maxn, "buckets": buckets}
    _add_means(maker, head, words, bool(hashed))
    own.path.unlink()


def _read_head(source: Source) -> _Head:
    if source.read(4, "the header") != MAGIC:
        raise DecodeError(
            f"{source.label}: is no fastText .bin: those begin with the number 793712314, files of "
            "releases before that number are not read"
        )
    (version,) = struct.unpack("<i", source.read(4, "the header"))
    if version not in (11, 12):
        raise DecodeError(f"{source.label}: is fastText version {version}, expected 11 or 12")
    dim, *_, model, bucket, minn, maxn, _ = struct.unpack("<12i", source.read(48, "the header"))
    source.read(8, "the header")
    if version == 11 and model == _SUPERVISED:
        maxn = 0  # classifiers of that version have no n-grams of characters
    if not (0 < dim <= 1 << 20 and bucket >= 0 and minn >= 0 and maxn >= 0):
        raise DecodeError(
            f"{source.label}: dim {dim}, bucket {bucket}, minn {minn} and maxn {maxn} cannot be: "
            "the file is damaged. Fetch it again."
        )
    return _Head(dim, bucket, minn, maxn)


def _read_dictionary(source: Source) -> tuple[list[bytes], int]:
    """The words, labels left out, and the number of pruned n-grams (-1: not pruned)."""
    facts = struct.unpack("<iiiqq", source.read(28, "the dictionary"))
    entries, count, labels, _, pruned = facts
    if min(entries, count, labels) < 0 or entries != count + labels or pruned < -1:
        raise DecodeError(
            f"{source.label}: has {entries} entries of which {count} are words and {labels} "
            "labels: the file is damaged. Fetch it again."
        )
    words = []
    for number in range(entries):
        word = source.until(b"\x00", _LONGEST, f"entry {number + 1} of {entries}")
        kind = source.read(9, f"entry {number + 1} of {entries}")[8]
        if kind != (number >= count):  # words come first
            name = word.decode("utf-8", "backslashreplace")
            raise DecodeError(
                f"{source.label}: entry {number + 1} ({name!r}) is of kind {kind}, expected "
                f"{int(number >= count)}: the file is damaged. Fetch it again."
            )
        if number < count:
            words.append(word)
    source.read(8 * max(pruned, 0), "the pruned n-grams")
    return words, pruned


def _copy(source: Source, out: NpyWriter, rows: int, words: list[bytes] | None = None) -> None:
    """The next rows of the matrix, held to be finite."""
    step = max(1, (1 << 22) // (4 * out.dim))
    for start in range(0, rows, step):
        count = min(step, rows - start)
        what = f"rows {start} to {start + count} of the input matrix"
        part = np.frombuffer(source.read(4 * out.dim * count, what), "<f4").reshape(-1, out.dim)
        finite = np.isfinite(part).all(1)
        if not finite.all():
            i = start + int(np.argmin(finite))
            name = words[i].decode("utf-8", "backslashreplace") if words else f"bucket {i}"
            raise DecodeError(
                f"{source.label}: {name!r} has numbers that are not finite: the file is damaged. "
                "Fetch it again."
            )
        out.add(part)
    out.close()


def _add_means(maker: Maker, head: _Head, words: list[bytes], hashed: bool) -> None:
    if not words:
        return
    own = np.load(maker.folder / "own.npy", mmap_mode="r")
    grams = np.load(maker.folder / "ngrams.npy", mmap_mode="r") if hashed else None
    for start in range(0, len(words), _AT_ONCE):
        some = words[start : start + _AT_ONCE]
        rows = np.array(own[start : start + len(some)])
        if grams is not None:
            ids, counts = ngram_buckets(some, head.minn, head.maxn, len(grams))
            rows = mean_of_rows(grams, ids, counts, rows)
        maker.add(some, rows)
