"""``forced_align`` and ``merge_tokens``: when each token of a known text was spoken, by CTC.

Method: the best path through the trellis of tokens and blanks (Viterbi), see L. Kürzinger et al.,
"CTC-Segmentation of Large Corpora" (2020). On a CPU each recording is run by Numba, elsewhere all
of them frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from domainkit.audio.functional import _numba_alignment
from domainkit.audio.functional.checks import check_floating
from domainkit.errors import TransformError

__all__ = ["TokenSpan", "forced_align", "merge_tokens"]


@dataclass(frozen=True)
class TokenSpan:
    """A token and the frames [start, end) that it fills; score is their mean.

    Example:
        >>> len(TokenSpan(token=3, start=5, end=9, score=-0.5))
        4
    """

    token: int
    start: int
    end: int
    score: float

    def __len__(self) -> int:
        return self.end - self.start


def forced_align(
    log_probs: torch.Tensor,
    targets: torch.Tensor,
    input_lengths: torch.Tensor | None = None,
    target_lengths: torch.Tensor | None = None,
    blank: int = 0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The likeliest token of every frame, such that the frames spell the targets.

    torchaudio takes one recording at a time; here they may be any number, each of its own length.
    Of paths that are equally likely the one that moves on earlier is taken.

    Args:
        log_probs: floating [B, T, V], logarithms of probabilities.
        targets: int32 or int64 [B, L], without blanks.
        input_lengths: [B], valid frames of each recording; None: T.
        target_lengths: [B], valid targets of each; None: L.
        blank: the token that stands for none.

    Returns:
        Tokens [B, T] of the targets' dtype, and their log_probs [B, T], which are differentiable.
        Behind a recording's end they are ``blank`` and 0.

    Raises:
        TransformError: shapes or dtypes that do not belong together, targets that are blank or not
            in [0, V), more targets (with a frame between equal ones) than frames, or no path that
            has a probability.

    Example:
        >>> spoken = torch.tensor([[[0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]]])
        >>> forced_align(spoken.log(), torch.tensor([[1, 2]]))[0]
        tensor([[1, 0, 2]])
    """
    check_floating("forced_align", log_probs, what="log_probs [B, T, V]")
    frames, labels = _checked(log_probs, targets, input_lengths, target_lengths, blank)
    with torch.no_grad():
        wide = log_probs.detach()
        wide = wide if wide.dtype == torch.float64 else wide.float()
        run = _one_by_one if wide.device.type == "cpu" else _together
        path, total = run(wide, targets.long(), frames, labels, blank)
        if not bool((total > -torch.inf).all()):
            bad = int((~(total > -torch.inf)).nonzero()[0])
            raise TransformError(
                f"forced_align: no path through recording {bad} spells its targets with a "
                "probability above 0: look for -inf or NaN in log_probs"
            )
    scores = log_probs.gather(-1, path[..., None]).squeeze(-1)
    valid = torch.arange(log_probs.shape[1], device=log_probs.device) < frames[:, None]
    return path.to(targets.dtype), scores.where(valid, scores.new_zeros(()))


def merge_tokens(tokens: torch.Tensor, scores: torch.Tensor, blank: int = 0) -> list[TokenSpan]:
    """The runs of equal tokens that are not blank, with the mean score of their frames.

    Args:
        tokens: integers [T], one recording of ``forced_align``.
        scores: floating [T].
        blank: the token that stands for none.

    Raises:
        TransformError: tokens and scores of other shapes.

    Example:
        >>> spans = merge_tokens(torch.tensor([0, 1, 1, 0, 1]), torch.tensor([0.0, 2, 4, 0, 5]))
        >>> [(span.token, span.start, span.end, span.score) for span in spans]
        [(1, 1, 3, 3.0), (1, 4, 5, 5.0)]
    """
    if tokens.ndim != 1 or tokens.shape != scores.shape:
        raise TransformError(
            "merge_tokens takes tokens [T] and scores [T] of one recording, got "
            f"{tuple(tokens.shape)} and {tuple(scores.shape)}"
        )
    ids, values = tokens.tolist(), scores.detach().double().tolist()
    spans, start = [], 0
    for end in range(1, len(ids) + 1):
        if end == len(ids) or ids[end] != ids[start]:
            if ids[start] != blank:
                mean = sum(values[start:end]) / (end - start)
                spans.append(TokenSpan(ids[start], start, end, mean))
            start = end
    return spans


def _one_by_one(
    log_probs: torch.Tensor,
    targets: torch.Tensor,
    frames: torch.Tensor,
    labels: torch.Tensor,
    blank: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    path = torch.full(log_probs.shape[:2], blank)
    total = torch.zeros(len(path), dtype=torch.float64)
    sizes = zip(frames.tolist(), labels.tolist(), strict=True)
    for i, (end, count) in enumerate(sizes):
        if end:
            item = log_probs[i, :end].contiguous().numpy()
            wanted = targets[i, :count].contiguous().numpy()
            tokens, total[i] = _numba_alignment.best_path(item, wanted, blank)
            path[i, :end] = torch.from_numpy(tokens)
    return path, total


def _together(
    log_probs: torch.Tensor,
    targets: torch.Tensor,
    frames: torch.Tensor,
    labels: torch.Tensor,
    blank: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """All recordings at once, frame by frame; the states are those of ``_numba_alignment``."""
    batch, length, _ = log_probs.shape
    states = 2 * targets.shape[1] + 1
    spelt = targets.new_full((batch, states), blank)
    spelt[:, 1::2] = torch.where(  # what pads the targets may be no token
        torch.arange(targets.shape[1], device=targets.device) < labels[:, None], targets, blank
    )
    heard = log_probs.gather(-1, spelt[:, None].expand(-1, length, -1))  # [B, T, S]
    skips = torch.zeros_like(spelt, dtype=torch.bool)
    skips[:, 3::2] = spelt[:, 3::2] != spelt[:, 1:-2:2]
    never = -torch.inf
    best = torch.full_like(heard[:, 0], never)
    best[:, :2] = heard[:, 0, :2]
    moves = torch.zeros(length, batch, states, dtype=torch.uint8, device=log_probs.device)
    for t in range(1, length):
        score, move = best, moves[t]
        for steps in (1, 2):
            other = torch.nn.functional.pad(best[:, :-steps], (steps, 0), value=never)[:, :states]
            better = other > score
            better &= skips if steps == 2 else True
            score = torch.where(better, other, score)
            move.masked_fill_(better, steps)
        # behind its end an item stays where it is
        inside = (t < frames)[:, None]
        best = torch.where(inside, score + heard[:, t], best)
        move.masked_fill_(~inside, 0)
    last = 2 * labels[:, None]
    ends = best.gather(1, torch.cat([last, (last - 1).clamp(min=0)], 1))  # blank, or the token
    state = torch.where(ends[:, 1:] >= ends[:, :1], (last - 1).clamp(min=0), last)
    total = torch.where(frames > 0, ends.amax(1), 0)
    path = torch.empty(batch, length, dtype=torch.int64, device=log_probs.device)
    for t in range(length - 1, -1, -1):
        path[:, t] = torch.where(t < frames, spelt.gather(1, state)[:, 0], blank)
        state = state - moves[t].gather(1, state)
    return path, total


def _checked(
    log_probs: torch.Tensor,
    targets: torch.Tensor,
    input_lengths: torch.Tensor | None,
    target_lengths: torch.Tensor | None,
    blank: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames and targets of each recording, int64 [B]."""
    whole = targets.dtype in (torch.int32, torch.int64)
    if log_probs.ndim != 3 or targets.ndim != 2 or len(targets) != len(log_probs) or not whole:
        raise TransformError(
            "forced_align takes log_probs [B, T, V] and targets int32 or int64 [B, L], got "
            f"{tuple(log_probs.shape)} and {targets.dtype} {tuple(targets.shape)}"
        )
    batch, length, tokens = log_probs.shape
    if not 0 <= blank < tokens:
        raise TransformError(f"forced_align: blank is a token in [0, {tokens}), got {blank}")
    sizes = []
    for name, given, most in (
        ("input_lengths", input_lengths, length),
        ("target_lengths", target_lengths, targets.shape[1]),
    ):
        size = torch.full((batch,), most) if given is None else given.long()
        if size.shape != (batch,) or bool(((size < 0) | (size > most)).any()):
            raise TransformError(
                f"forced_align: {name} [{batch}] lie in [0, {most}], got {size.tolist()}"
            )
        sizes.append(size.to(log_probs.device))
    frames, labels = sizes
    inside = torch.arange(targets.shape[1], device=targets.device) < labels[:, None]
    if bool((inside & ((targets < 0) | (targets >= tokens) | (targets == blank))).any()):
        raise TransformError(
            f"forced_align: targets are tokens in [0, {tokens}) other than the blank {blank}: "
            "leave blanks out, and give target_lengths where targets are padded"
        )
    repeats = (inside[:, 1:] & (targets[:, 1:] == targets[:, :-1])).sum(1)
    short = labels + repeats > frames
    if bool(short.any()):
        i = int(short.nonzero()[0])
        raise TransformError(
            f"forced_align: recording {i} has {int(frames[i])} frames, its {int(labels[i])} "
            f"targets need {int(labels[i] + repeats[i])} (one more between two equal ones)"
        )
    return frames, labels
