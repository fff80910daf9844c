"""ROUGE, by rouge-score, Google's port of the original program."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domainkit.errors import MissingExtraError, TransformError
from domainkit.text.metrics.pairs import References, check_pairs

__all__ = ["rouge"]


def rouge(
    hypotheses: Sequence[str],
    references: References,
    *,
    kinds: Sequence[str] = ("rouge1", "rouge2", "rougeL"),
    stem: bool = False,
    tokenize: Callable[[str], list[str]] | None = None,
) -> dict[str, float]:
    """The means over a corpus of the F-measures of ROUGE, 0 to 1 (C.-Y. Lin, 2004).

    Args:
        hypotheses: N texts.
        references: for each a text or a list of texts, of which the best counts.
        kinds: "rouge1", "rouge2", ... by n-grams; "rougeL" by the longest common subsequence,
            "rougeLsum" by that of lines.
        stem: cut English words to their stems first (Porter).
        tokenize: text to tokens; None keeps a to z and 0 to 9, in small letters, and nothing else:
            say one for other scripts.

    Raises:
        TransformError: wrong arguments.
        MissingExtraError: without ``pip install 'domainkit[metrics]'``.

    Example:
        >>> rouge(["the cat sat"], ["a cat sat"], kinds=["rouge2"])
        {'rouge2': 0.5}
    """
    lists = check_pairs("rouge", hypotheses, references)
    try:
        from rouge_score import rouge_scorer
    except ImportError as error:
        raise MissingExtraError(
            "rouge needs rouge-score: pip install 'domainkit[metrics]'"
        ) from error
    if isinstance(kinds, str) or not kinds:
        raise TransformError(f"rouge takes a list of kinds such as ['rouge1'], got {kinds!r}")
    own = None if tokenize is None else _Tokenizer(tokenize)
    scorer = rouge_scorer.RougeScorer(list(kinds), use_stemmer=stem, tokenizer=own)
    sums = dict.fromkeys(kinds, 0.0)
    for text, several in zip(hypotheses, lists, strict=True):
        try:
            scores = scorer.score_multi(several, text)
        except ValueError as error:  # an unknown kind
            raise TransformError(f"rouge: rouge-score does not know that: {error}") from error
        for kind in kinds:
            sums[kind] += scores[kind].fmeasure
    return {kind: total / len(lists) for kind, total in sums.items()}


class _Tokenizer:
    """A function in the form that rouge-score takes."""

    def __init__(self, tokenize: Callable[[str], list[str]]) -> None:
        self._tokenize = tokenize

    def tokenize(self, text: str) -> list[str]:
        return self._tokenize(text)
