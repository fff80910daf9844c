"""BLEU and chrF of a corpus, by sacrebleu, with the signature to report beside the number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domainkit.errors import MissingExtraError, TransformError
from domainkit.text.metrics.pairs import References, check_pairs

__all__ = ["Score", "bleu", "chrf"]


@dataclass(frozen=True)
class Score:
    """A score of a whole corpus.

    Attributes:
        score: 0 to 100.
        signature: how it was computed, to be reported with it (M. Post, arXiv:1804.08771).
        details: sacrebleu's own result (precisions, brevity penalty, lengths).

    Example:
        >>> Score(31.4159, "nrefs:1|case:mixed")
        Score(31.42, 'nrefs:1|case:mixed')
    """

    score: float
    signature: str
    details: Any = None

    def __float__(self) -> float:
        return self.score

    def __repr__(self) -> str:
        return f"Score({self.score:.2f}, {self.signature!r})"


def bleu(
    hypotheses: Sequence[str],
    references: References,
    *,
    tokenize: str = "13a",
    lowercase: bool = False,
    smooth: str = "exp",
    max_order: int = 4,
) -> Score:
    """BLEU of a corpus, 0 to 100 (K. Papineni et al., ACL 2002).

    Texts are given as they are; sacrebleu cuts them into tokens. torchtext's ``bleu_score`` took
    tokens: join them by spaces and say ``tokenize="none", smooth="none"``, for 100 times its
    number.

    Args:
        hypotheses: N texts.
        references: for each a text or a list of texts, not always as many.
        tokenize: sacrebleu's name of a tokenizer: "13a", "intl", "char", "zh", "none", ...
        lowercase: compare in small letters.
        smooth: "exp", "floor", "add-k" or "none": what is done where an order has no match.
        max_order: the longest n-grams.

    Raises:
        TransformError: wrong arguments.
        MissingExtraError: without ``pip install 'domainkit[metrics]'``.

    Example:
        >>> round(bleu(["the cat sat on the mat"], ["the cat sat on a mat"]).score, 1)
        53.7
    """
    lists = check_pairs("bleu", hypotheses, references)
    metrics = _sacrebleu()
    try:
        metric = metrics.BLEU(
            tokenize=tokenize, lowercase=lowercase, smooth_method=smooth, max_ngram_order=max_order
        )
    except (AssertionError, ValueError, KeyError) as error:
        raise TransformError(f"bleu: sacrebleu does not know that: {error}") from error
    return _score(metric, hypotheses, lists)


def chrf(
    hypotheses: Sequence[str],
    references: References,
    *,
    char_order: int = 6,
    word_order: int = 0,
    beta: int = 2,
    lowercase: bool = False,
) -> Score:
    """chrF of a corpus, 0 to 100 (M. Popović, WMT 2015); with ``word_order=2`` chrF++.

    Args:
        hypotheses: N texts.
        references: for each a text or a list of texts.
        char_order: the longest n-grams of characters.
        word_order: the longest n-grams of words.
        beta: how many times recall counts more than precision.
        lowercase: compare in small letters.

    Raises:
        TransformError: wrong arguments.
        MissingExtraError: without ``pip install 'domainkit[metrics]'``.

    Example:
        >>> chrf(["the cat"], ["the cat"]).score
        100.0
    """
    lists = check_pairs("chrf", hypotheses, references)
    if char_order < 1 or word_order < 0 or beta < 1:
        raise TransformError(
            f"chrf needs char_order and beta of 1 or more and word_order of 0 or more, got "
            f"{char_order}, {beta} and {word_order}"
        )
    metric = _sacrebleu().CHRF(
        char_order=char_order, word_order=word_order, beta=beta, lowercase=lowercase
    )
    return _score(metric, hypotheses, lists)


def _score(metric: Any, hypotheses: Sequence[str], lists: list[list[str]]) -> Score:
    # sacrebleu wants the first references of all texts, the second ones, ...; None where one lacks
    most = max(map(len, lists))
    streams = [[one[i] if i < len(one) else None for one in lists] for i in range(most)]
    details = metric.corpus_score(list(hypotheses), streams)
    return Score(float(details.score), str(metric.get_signature()), details)


def _sacrebleu() -> Any:
    try:
        from sacrebleu import metrics
    except ImportError as error:
        raise MissingExtraError(
            "bleu and chrf need sacrebleu: pip install 'domainkit[metrics]'"
        ) from error
    return metrics
