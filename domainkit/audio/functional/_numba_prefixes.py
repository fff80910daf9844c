"""CTC prefix beam search through one recording: a plain function, compiled by Numba at use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from domainkit.jit import jit

__all__ = ["best_prefixes", "searched"]


def best_prefixes(
    log_probs: np.ndarray, blank: int, width: int, count: int
) -> list[tuple[np.ndarray, float]]:
    """The likeliest token sequences (int64) of [T, V] with their log-probabilities, best first."""
    tokens = np.empty((width, len(log_probs)), np.int64)
    sizes, scores = np.empty(width, np.int64), np.empty(width)
    found = _compiled()(log_probs, blank, tokens, sizes, scores)
    return [(tokens[k, : sizes[k]], float(scores[k])) for k in range(min(found, count))]


@functools.cache
def _compiled() -> Callable[..., Any]:
    return jit()(searched)


def searched(  # noqa: PLR0912, PLR0915 - Numba is fastest with one function
    log_probs: np.ndarray,
    blank: int,
    tokens: np.ndarray,
    sizes: np.ndarray,
    scores: np.ndarray,
) -> int:
    """Write the best prefixes into tokens [W, T], sizes [W], scores [W]; give their number.

    A prefix is a node of a tree; it has one parent, so that a new prefix comes from one place only
    and no table of candidates is needed. It keeps its node when it leaves the beam, because a
    longer one in the beam may be reached from it once it is back.
    """
    frames, vocabulary = log_probs.shape
    width, never = len(scores), -np.inf
    most = frames * width + 1
    parent, token = np.full(most, -1), np.full(most, -1)
    child, sibling = np.full(most, -1), np.full(most, -1)  # the last born, and the one before
    place = np.full(most, -1)  # of a node in the beam
    nodes, size = 1, 1  # the root spells nothing
    # the beam: its nodes, and how likely they are with a blank or with their token at the end
    beam, at_blank, at_token = (
        np.zeros(width, np.int64),
        np.full(width, never),
        np.full(width, never),
    )
    at_blank[0], place[0], scores[0] = 0.0, 0, 0.0
    whole, stay_blank, stay_token = np.empty(width), np.empty(width), np.empty(width)
    # who is in the next beam, best first: score, where it comes from, its node, its new token
    key, origin = np.empty(width), np.empty(width, np.int64)
    node_of, added = np.empty(width, np.int64), np.empty(width, np.int64)
    for t in range(frames):
        frame = log_probs[t]
        order = np.argsort(-frame, kind="mergesort")
        for i in range(size):
            whole[i] = np.logaddexp(at_blank[i], at_token[i])
        chosen = 0
        for step in range(2 * size):  # first those that stay, then those that grow
            i = step % size
            node = beam[i]
            if step < size:
                stay_blank[i] = whole[i] + frame[blank]
                stay_token[i] = never
                if node > 0:
                    c = token[node]
                    stay_token[i] = at_token[i] + frame[c]
                    above = place[parent[node]]
                    if above >= 0:  # its parent grows into it; an equal token needs a blank between
                        grown = at_blank[above] if token[beam[above]] == c else whole[above]
                        stay_token[i] = np.logaddexp(stay_token[i], grown + frame[c])
            for rank in range(1 if step < size else vocabulary):
                c, known = -1, node
                if step < size:
                    score = np.logaddexp(stay_blank[i], stay_token[i])
                else:
                    c = order[rank]
                    score = whole[i] + frame[c]
                    # no token further on is likelier
                    if score == never or (chosen == width and score <= key[width - 1]):
                        break
                    if c == blank:
                        continue
                    if c == token[node]:
                        score = at_blank[i] + frame[c]
                if score == never or (chosen == width and score <= key[width - 1]):
                    continue
                if step >= size:
                    known = child[node]
                    while known >= 0 and token[known] != c:
                        known = sibling[known]
                    if known >= 0 and place[known] >= 0:
                        continue  # it stays, and has been given this already
                if chosen < width:
                    chosen += 1
                k = chosen - 1
                while k > 0 and key[k - 1] < score:
                    key[k], origin[k] = key[k - 1], origin[k - 1]
                    node_of[k], added[k] = node_of[k - 1], added[k - 1]
                    k -= 1
                key[k], origin[k], node_of[k], added[k] = score, i, known, c
        for i in range(size):
            place[beam[i]] = -1
        before = beam.copy()
        for k in range(chosen):
            i, node = origin[k], node_of[k]
            if added[k] < 0:
                at_blank[k], at_token[k] = stay_blank[i], stay_token[i]
            else:
                at_blank[k], at_token[k] = never, key[k]
                if node < 0:
                    node, above = nodes, before[i]
                    nodes += 1
                    parent[node], token[node] = above, added[k]
                    sibling[node], child[above] = child[above], node
            beam[k], place[node], scores[k] = node, k, key[k]
        size = chosen
        if size == 0:
            return 0
    for k in range(size):
        node, count = beam[k], 0
        while node > 0:
            tokens[k, count] = token[node]
            count += 1
            node = parent[node]
        sizes[k] = count
        tokens[k, :count] = tokens[k, :count][::-1].copy()
    return size
