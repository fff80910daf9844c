"""Character n-grams of words (K. Hashimoto et al., "A Joint Many-Task Model", arXiv:1611.01587).

The published ``charNgram.txt`` has a line per n-gram, named ``2gram-th``. The vector of a word is
the mean of those of its 2-, 3- and 4-grams that are there, where ``#BEGIN#`` and ``#END#`` count as
one character each; so torchtext's ``CharNGram`` has it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domainkit.text.vectors.table import Table
from domainkit.text.vectors.words import encode

__all__ = ["grams_of", "mean_of_grams"]


def grams_of(word: str) -> list[str]:
    """The names of a word's n-grams.

    Example:
        >>> grams_of("a")
        ['2gram-#BEGIN#a', '2gram-a#END#', '3gram-#BEGIN#a#END#']
    """
    marks = ["#BEGIN#", *word, "#END#"]
    return [
        f"{n}gram-" + "".join(marks[i : i + n])
        for n in (2, 3, 4)
        for i in range(len(marks) - n + 1)
    ]


def mean_of_grams(table: Table, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of words, float32 [n, dim], and of how many n-grams each is the mean, int64 [n].

    ``<unk>`` has none, as in torchtext.
    """
    grams = [[encode(gram) for gram in grams_of(word)] if word != "<unk>" else [] for word in words]
    found = table.words.find([gram for of_word in grams for gram in of_word])
    out = np.zeros((len(words), table.rows.shape[1]), np.float32)
    counts = np.zeros(len(words), np.int64)
    start = 0
    for i, of_word in enumerate(grams):
        here = found[start : start + len(of_word)]
        start += len(of_word)
        here = here[here >= 0]
        counts[i] = len(here)
        if len(here):
            out[i] = table.rows[here].mean(0)
    return out, counts
