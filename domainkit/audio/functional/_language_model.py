"""A CTC beam search with a KenLM model of words, by pyctcdecode (Kensho, 2021)."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from domainkit.errors import MissingExtraError, TransformError

__all__ = ["best_texts"]


# natural logarithms: how far behind the best a reading may be, and what an unknown word costs
BEHIND, UNKNOWN = -40.0, -10 * math.log(10)


def best_texts(
    log_probs: np.ndarray,
    labels: tuple[str, ...],
    model: tuple[str, float, float],
    width: int,
    count: int,
) -> list[tuple[str, float]]:
    """Texts of [T, V] with their scores, best first.

    pyctcdecode finds the texts and how likely each sounds. The score is worked out from that once
    more: where a text was also found with a space behind it, pyctcdecode takes what follows for a
    word that nobody knows. So far behind texts may have fallen by that, that its own pruning (-10)
    would lose them.

    Args:
        labels: a character for each token, "" for the blank.
        model: file of a KenLM model, its weight, and what a word is worth.
    """
    decoder, words = _decoder(labels, *model)
    found: list[Any] = [("", None, None, 0.0, None)]  # of no frames; pyctcdecode warns of them
    if len(log_probs):
        found = decoder.decode_beams(log_probs, beam_width=width, beam_prune_logp=BEHIND)
    _, alpha, beta = model
    scored = []
    for text, _, _, heard, _ in found:
        parts = list(words.full_scores(text))  # of each word and the end: log10, length, unknown
        read = sum(math.log(10) * part + UNKNOWN * unknown for part, _, unknown in parts)
        scored.append((text, float(heard + alpha * read + beta * (len(parts) - 1))))
    return sorted(scored, key=lambda one: -one[1])[:count]


@functools.lru_cache(maxsize=2)  # a model is read once, not for every batch
def _decoder(labels: tuple[str, ...], path: str, alpha: float, beta: float) -> tuple[Any, Any]:
    """pyctcdecode's decoder, and KenLM's model."""
    try:
        import kenlm
        import pyctcdecode
        from pyctcdecode.language_model import load_unigram_set_from_arpa
    except ImportError as error:
        raise MissingExtraError(
            "ctc_beam_decode: language_model needs pyctcdecode and kenlm: "
            "pip install 'domainkit[ctc]'"
        ) from error
    try:
        words = kenlm.Model(path)
    except OSError as error:
        raise TransformError(
            f"ctc_beam_decode: language_model is a file that KenLM reads (.arpa or binary), got "
            f"{path!r}: {error}"
        ) from error
    known = load_unigram_set_from_arpa(path) if path.endswith(".arpa") else None
    model = pyctcdecode.LanguageModel(words, known, alpha=alpha, beta=beta)
    alphabet = pyctcdecode.Alphabet.build_alphabet(list(labels))
    return pyctcdecode.BeamSearchDecoderCTC(alphabet, model), words
