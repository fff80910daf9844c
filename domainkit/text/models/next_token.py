"""From the logits of the next token to a token: what is left out, and which one is drawn."""

from __future__ import annotations

import torch

__all__ = ["drop_repeats", "keep_likely", "pick"]


def keep_likely(
    logits: torch.Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> torch.Tensor:
    """Minus infinity for all but the likely tokens; float [R, V], divided by the temperature.

    ``top_k`` keeps the k largest and their equals; ``top_p`` then keeps the fewest, likeliest
    first, whose probabilities reach p together: at least one, and all where p is 1.

    Example:
        >>> logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
        >>> keep_likely(logits, top_k=3).isfinite().tolist()
        [[False, True, True, True]]
        >>> keep_likely(logits, top_p=0.5).isfinite().tolist()
        [[False, False, True, True]]
    """
    logits = logits / temperature
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    if top_p is not None and top_p < 1:
        ordered, where = logits.sort(descending=True, stable=True)
        chances = ordered.softmax(-1)
        before = chances.cumsum(-1) - chances  # what the likelier ones reach without this token
        out = before >= top_p
        out[:, 0] = False
        logits = logits.masked_fill(torch.zeros_like(out).scatter(1, where, out), float("-inf"))
    return logits


def pick(logits: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Draw one token per row by its probability: int64 [R].

    The draw u in [0, 1) has 53 bits (``bits``: int64 [R, 2] in [0, 2**32)), and the token is the
    first at which the sum of the probabilities passes u: one number per token drawn, not one per
    word of the vocabulary.

    Example:
        >>> logits = torch.tensor([[0.2, 0.5, 0.3]]).log()
        >>> [int(pick(logits, torch.tensor([[u << 30, 0]]))) for u in (0, 1, 2, 3)]
        [0, 1, 1, 2]
    """
    high, low = (bits[:, 0] >> 5).double(), (bits[:, 1] >> 6).double()
    u = (high * 2.0**26 + low) * 2.0**-53
    sums = logits.double().softmax(-1).cumsum(-1)
    sums = sums / sums[:, -1:]  # so that the last sum is 1, above every u
    return torch.searchsorted(sums, u[:, None], right=True)[:, 0]


def drop_repeats(scores: torch.Tensor, written: torch.Tensor, size: int) -> torch.Tensor:
    """Minus infinity for tokens that would end a run of ``size`` tokens that was there before.

    Args:
        scores: float [R, V].
        written: int64 [R, T], the tokens so far.
        size: 1 forbids every token seen.

    Example:
        >>> written = torch.tensor([[3, 4, 5, 3, 4]])
        >>> drop_repeats(torch.zeros(1, 6), written, 3).isneginf().nonzero().tolist()
        [[0, 5]]
    """
    if written.shape[1] < size:
        return scores
    runs = written.unfold(1, size, 1)  # [R, T - size + 1, size]
    same = (runs[..., :-1] == written[:, None, written.shape[1] - size + 1 :]).all(-1)
    # a count for each token: rows that do not match add 0 to theirs
    seen = torch.zeros_like(scores).scatter_add_(1, runs[..., -1], same.to(scores.dtype))
    return scores.masked_fill(seen > 0, float("-inf"))
