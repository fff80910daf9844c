"""Files of vectors in their publishers' layouts, and fastText's vector of a word in plain Python.

The binary layouts are written here by their published description, apart from the code that reads
them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Rows = Mapping[str, Sequence[float]]


def random_rows(words: Sequence[str], dim: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Vectors of five decimals, so that text holds them exactly."""
    rows = np.random.default_rng(seed).normal(size=(len(words), dim)).round(5)
    return dict(zip(words, rows.astype(np.float32), strict=True))


def glove(rows: Rows) -> bytes:
    """As GloVe writes: no header."""
    return "".join(f"{w} {' '.join(f'{x:.5f}' for x in row)}\n" for w, row in rows.items()).encode()


def fasttext_vec(rows: Rows) -> bytes:
    """As fastText writes a .vec: a header, and a space at the end of each line."""
    dim = len(next(iter(rows.values())))
    lines = [f"{w} {' '.join(f'{x:.9g}' for x in row)} \n" for w, row in rows.items()]
    return f"{len(rows)} {dim}\n{''.join(lines)}".encode()


def word2vec_binary(rows: Mapping[bytes, Sequence[float]], line_breaks: bool = True) -> bytes:
    """As word2vec.c writes with -binary 1."""
    dim = len(next(iter(rows.values())))
    out = f"{len(rows)} {dim}\n".encode()
    for word, row in rows.items():
        out += word + b" " + struct.pack(f"<{dim}f", *row) + (b"\n" if line_breaks else b"")
    return out


def fasttext_bin(
    words: Sequence[bytes],
    matrix: np.ndarray,
    *,
    bucket: int,
    minn: int = 3,
    maxn: int = 6,
    labels: Sequence[bytes] = (),
    version: int = 12,
    model: int = 2,
    quantized: bool = False,
    pruned: int = -1,
    magic: int = 793712314,
) -> bytes:
    """As fastText's FastText::saveModel writes: ``matrix`` is [words + bucket, dim]."""
    dim = matrix.shape[1]
    out = struct.pack("<ii", magic, version)
    # dim ws epoch minCount neg wordNgrams loss model bucket minn maxn lrUpdateRate, t
    out += struct.pack("<12id", dim, 5, 5, 1, 5, 1, 2, model, bucket, minn, maxn, 100, 1e-4)
    out += struct.pack("<3i", len(words) + len(labels), len(words), len(labels))
    out += struct.pack("<2q", 1000, pruned)
    for kind, names in enumerate((words, labels)):
        for name in names:
            out += name + b"\x00" + struct.pack("<qb", 7, kind)
    out += struct.pack("<ii", 1, 2) * max(pruned, 0)
    out += struct.pack("<?", quantized)
    out += struct.pack("<2q", *matrix.shape) + matrix.astype("<f4").tobytes()
    output = np.ones((len(words), dim), "<f4")  # the output layer
    return out + struct.pack("<?2q", False, *output.shape) + output.tobytes()


def fnv1a(data: bytes) -> int:
    """FNV-1a of 32 bits over bytes with their sign, as fastText's Dictionary::hash."""
    h = 2166136261
    for byte in data:
        signed = byte - 256 if byte > 127 else byte
        h = ((h ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
    return h


def fasttext_ngrams(word: str, minn: int, maxn: int) -> list[str]:
    """A word's n-grams in fastText's order."""
    if word == "</s>":
        return []
    text = f"<{word}>"
    return [
        text[i : i + n]
        for i in range(len(text))
        for n in range(minn, maxn + 1)
        if i + n <= len(text) and not (n == 1 and (i == 0 or i + n == len(text)))
    ]


def fasttext_vector(
    word: str, words: Sequence[str], matrix: np.ndarray, *, bucket: int, minn: int, maxn: int
) -> np.ndarray:
    """FastText::getWordVector."""
    rows = [words.index(word)] if word in words else []
    if maxn:
        grams = fasttext_ngrams(word, minn, maxn)
        rows += [len(words) + fnv1a(gram.encode()) % bucket for gram in grams]
    if not rows:
        return np.zeros(matrix.shape[1])
    return matrix[rows].astype(np.float64).mean(0)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
