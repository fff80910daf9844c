"""Texts and what they are held to: checked, and with the same number of references for each."""

from __future__ import annotations

from collections.abc import Sequence

from domainkit.errors import TransformError

__all__ = ["References", "check_pairs"]

References = Sequence[str] | Sequence[Sequence[str]]


def check_pairs(name: str, hypotheses: Sequence[str], references: References) -> list[list[str]]:
    """The references of each hypothesis, one or more.

    Raises:
        TransformError: no texts, another number of references, or something else than str.
    """
    if isinstance(hypotheses, str) or isinstance(references, str):
        raise TransformError(f"{name} takes lists of texts, got one str: put it into a list")
    if len(hypotheses) == 0 or len(hypotheses) != len(references):
        raise TransformError(
            f"{name} needs one reference, or a list of them, for each hypothesis, and at least "
            f"one: got {len(hypotheses)} hypotheses and {len(references)} references"
        )
    lists = [[one] if isinstance(one, str) else list(one) for one in references]
    for i, (text, several) in enumerate(zip(hypotheses, lists, strict=True)):
        if not isinstance(text, str) or not several:
            kind = "no references" if isinstance(text, str) else type(text).__name__
            raise TransformError(f"{name}: text {i} is or has {kind}, expected str and references")
        for one in several:
            if not isinstance(one, str):
                raise TransformError(
                    f"{name}: a reference of text {i} is {type(one).__name__}, expected str: join "
                    "tokens by spaces"
                )
    return lists
