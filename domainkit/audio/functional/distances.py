"""``edit_distance`` and ``frechet_distance``: how far sequences or distributions lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from domainkit.errors import TransformError

__all__ = ["edit_distance", "frechet_distance"]


def edit_distance(seq1: Sequence[Any], seq2: Sequence[Any]) -> int:
    """The fewest insertions, deletions and substitutions that make one sequence the other.

    Strings are compared by letters, lists of words by words; divided by the length of the
    reference, that is the letter or word error rate.

    Method: Myers' bit-parallel dynamic programming (J. ACM 1999) as Hyyrö simplified it (2003). A
    column of the table is two whole numbers, its rises and its falls, so a step costs a few
    operations on numbers of ``len(seq1)`` bits.

    Args:
        seq1, seq2: strings, lists, or tensors of one dimension; items are compared by ``==``.

    Example:
        >>> edit_distance("kitten", "sitting"), edit_distance("a b c".split(), "a c".split())
        (3, 1)
    """
    first, second = _numbered(seq1, seq2)
    if not first or not second:
        return max(len(first), len(second))
    where: dict[int, int] = {}  # item -> its places in the first sequence, a bit each
    for place, item in enumerate(first):
        where[item] = where.get(item, 0) | 1 << place
    everywhere, last = (1 << len(first)) - 1, 1 << len(first) - 1
    rises, falls, distance = everywhere, 0, len(first)
    for item in second:
        equal = where.get(item, 0)
        # the addition carries a match along a run of rises; ^ and | keep what it reached
        across = (((equal & rises) + rises) ^ rises) | equal
        up, down = falls | ~(across | rises), rises & across
        distance += bool(up & last) - bool(down & last)
        up, down = up << 1 | 1, down << 1
        rises, falls = (down | ~(equal | falls | up)) & everywhere, up & (equal | falls)
    return distance


def frechet_distance(
    mu_x: torch.Tensor, sigma_x: torch.Tensor, mu_y: torch.Tensor, sigma_y: torch.Tensor
) -> torch.Tensor:
    """The Fréchet distance of two normal distributions, squared, as torchaudio gives it.

    ``|mu_x - mu_y|^2 + tr(sigma_x + sigma_y - 2 (sigma_x sigma_y)^(1/2))``. Of embeddings of two
    sets of recordings it is the Fréchet audio distance.

    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions"
    (1982).

    Args:
        mu_x, mu_y: floating [..., N], the means.
        sigma_x, sigma_y: floating [..., N, N], the covariances.

    Returns:
        [...]; differentiable.

    Raises:
        TransformError: shapes that do not belong together.

    Example:
        >>> one = torch.eye(2)
        >>> frechet_distance(torch.zeros(2), one, torch.tensor([3.0, 4.0]), 4 * one)
        tensor(27.)
    """
    size = mu_x.shape[-1:]
    if mu_x.ndim < 1 or mu_y.shape[-1:] != size:
        raise TransformError(
            "frechet_distance takes means [..., N] of one N, got "
            f"{tuple(mu_x.shape)} and {tuple(mu_y.shape)}"
        )
    for name, sigma in (("sigma_x", sigma_x), ("sigma_y", sigma_y)):
        if sigma.shape[-2:] != size + size:
            raise TransformError(
                f"frechet_distance: {name} is a covariance [..., {size[0]}, {size[0]}], got "
                f"{tuple(sigma.shape)}"
            )
    between = (mu_x - mu_y).square().sum(-1)
    own = sum(s.diagonal(dim1=-2, dim2=-1).sum(-1) for s in (sigma_x, sigma_y))
    # the trace of a matrix's root is the sum of the roots of its eigenvalues
    shared = torch.linalg.eigvals(sigma_x @ sigma_y).sqrt().real.sum(-1)
    return between + own - 2 * shared


def _numbered(*sequences: Any) -> list[list[int]]:
    """Sequences with a whole number for each item, the same for equal items."""
    known: dict[Any, int] = {}
    odd: list[Any] = []  # items that cannot be hashed, numbered -1, -2, ...

    def number(item: Any) -> int:
        if isinstance(item, torch.Tensor):  # hashed by identity, not by value
            item = item.tolist()
        try:
            return known.setdefault(item, len(known))
        except TypeError:
            for place, other in enumerate(odd):
                if other == item:
                    return ~place
            odd.append(item)
            return -len(odd)

    return [[number(item) for item in sequence] for sequence in sequences]
