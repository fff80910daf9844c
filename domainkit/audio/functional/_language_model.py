"""A CTC beam search with a KenLM model of words, by pyctcdecode (Kensho, 2021)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from domainkit.errors import MissingExtraError, TransformError

__all__ = ["best_texts"]


def best_texts(
    log_probs: np.ndarray,
    labels: tuple[str, ...],
    model: tuple[str, float, float],
    width: int,
    count: int,
) -> list[tuple[str, float]]:
    """Texts of [T, V] with their scores, best first.

    Args:
        labels: a character for each token, "" for the blank.
        model: file of a KenLM model, its weight, and what a word is worth.
    """
    if not len(log_probs):  # pyctcdecode divides by the number of frames
        return [("", 0.0)]
    found = _decoder(labels, *model).decode_beams(log_probs, beam_width=width)
    return [(beam[0], float(beam[-1])) for beam in found[:count]]


@functools.lru_cache(maxsize=2)  # a model is read once, not for every batch
def _decoder(labels: tuple[str, ...], path: str, alpha: float, beta: float) -> Any:
    try:
        import kenlm  # noqa: F401 - pyctcdecode loads without it, and fails later
        import pyctcdecode
    except ImportError as error:
        raise MissingExtraError(
            "ctc_beam_decode: language_model needs pyctcdecode and kenlm: "
            "pip install 'domainkit[ctc]'"
        ) from error
    try:
        return pyctcdecode.build_ctcdecoder(list(labels), path, alpha=alpha, beta=beta)
    except OSError as error:
        raise TransformError(
            f"ctc_beam_decode: language_model is a file that KenLM reads (.arpa or binary), got "
            f"{path!r}: {error}"
        ) from error
