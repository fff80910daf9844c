"""``ctc_greedy_decode`` and ``ctc_beam_decode``: what was said, from CTC's probabilities.

Methods: A. Graves et al., "Connectionist Temporal Classification" (2006), best path; A. Hannun et
al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs"
(2014), prefix beam search. Best paths are found on the tensor's device, prefixes by Numba on the
CPU. Nothing here is differentiable; a loss is ``torch.nn.functional.ctc_loss``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from domainkit.audio.functional import _language_model, _numba_alignment, _numba_prefixes
from domainkit.audio.functional.alignment import TokenSpan, merge_tokens
from domainkit.audio.functional.checks import check_floating, check_whole
from domainkit.errors import TransformError

__all__ = ["CTCHypothesis", "ctc_beam_decode", "ctc_greedy_decode"]

# where a text is laid along the frames, nothing is impossible: a language model may have added it
LEAST = -1e4


@dataclass(frozen=True)
class CTCHypothesis:
    """One reading of a recording.

    Attributes:
        tokens: ids, without blanks.
        spans: when each was spoken, in frames, and the mean log-probability of these frames.
        score: natural logarithm of its probability; which one, says the function that made it.
        text: with a language model, its words.

    Example:
        >>> CTCHypothesis((2,), (TokenSpan(2, 0, 3, -0.5),), -1.5).spans[0].end
        3
    """

    tokens: tuple[int, ...]
    spans: tuple[TokenSpan, ...]
    score: float
    text: str | None = None


def ctc_greedy_decode(
    log_probs: torch.Tensor, lengths: torch.Tensor | None = None, blank: int = 0
) -> list[CTCHypothesis]:
    """The likeliest token of every frame, runs made one, blanks left out.

    Args:
        log_probs: floating [B, T, V], logarithms of probabilities.
        lengths: [B], valid frames of each recording; None: T.
        blank: the token that stands for none.

    Returns:
        One hypothesis a recording; its score is that of this one path: the sum of its frames.

    Raises:
        TransformError: not floating [B, T, V], NaN, lengths or a blank outside their ranges.

    Example:
        >>> heard = torch.tensor([[[0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]]])
        >>> found = ctc_greedy_decode(heard.log())[0]
        >>> found.tokens, [(span.start, span.end) for span in found.spans]
        ((1, 2), [(0, 1), (2, 3)])
    """
    frames = _checked("ctc_greedy_decode", log_probs, lengths, blank)
    scores, path = (v.cpu() for v in log_probs.detach().max(-1))
    found = []
    for i, end in enumerate(frames):
        spans = tuple(merge_tokens(path[i, :end], scores[i, :end], blank))
        total = float(scores[i, :end].double().sum())
        found.append(CTCHypothesis(tuple(span.token for span in spans), spans, total))
    return found


def ctc_beam_decode(
    log_probs: torch.Tensor,
    lengths: torch.Tensor | None = None,
    *,
    beam_width: int = 10,
    blank: int = 0,
    n_best: int = 1,
    language_model: str | os.PathLike[str] | None = None,
    labels: Sequence[str] | None = None,
    alpha: float = 0.5,
    beta: float = 1.5,
) -> list[list[CTCHypothesis]]:
    """The likeliest token sequences, each over all the paths that spell it.

    A beam that is wide enough to hold every prefix is exact. Spans are those of the sequence's
    likeliest path. Of sequences that are equally likely, the one found first stays in front.

    With a language model, pyctcdecode searches (``pip install 'domainkit[ctc]'``), which drops
    tokens and beams that are far behind: it is not exact.

    Args:
        log_probs: floating [B, T, V], logarithms of probabilities.
        lengths: [B], valid frames of each recording; None: T.
        beam_width: prefixes that are kept from frame to frame.
        blank: the token that stands for none.
        n_best: hypotheses a recording, at most ``beam_width``.
        language_model: a KenLM model of words, .arpa or binary. It is read once.
        labels: with a language model, the V tokens: one character each, a space or "|" between
            words; the blank's is not looked at.
        alpha: weight of the language model.
        beta: what each word adds to the score.

    Returns:
        For each recording at most ``n_best`` hypotheses, best first. Scores are the logarithms of
        their probabilities (minus ``ctc_loss``); with a language model alpha times its natural
        logarithm of the text (an unknown word costs 23 more) and beta for each word are added.

    Raises:
        TransformError: not floating [B, T, V], NaN, no path with a probability; an argument outside
            its range; labels that are no characters, a model that cannot be read.
        MissingExtraError: a language model, and pyctcdecode or kenlm is not installed.

    Example:
        >>> heard = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]])  # nothing .36, "1" .16 + .24 + .24
        >>> best, second = ctc_beam_decode(heard.log(), n_best=2)[0]
        >>> best.tokens, round(best.score, 3), second.tokens
        ((1,), -0.446, ())
    """
    name = "ctc_beam_decode"
    frames = _checked(name, log_probs, lengths, blank)
    check_whole(name, "beam_width", beam_width, 1)
    check_whole(name, "n_best", n_best, 1)
    if n_best > beam_width:
        raise TransformError(f"{name}: n_best is at most beam_width {beam_width}, got {n_best}")
    if (language_model is None) != (labels is None):
        raise TransformError(f"{name} takes language_model and labels together, or neither")
    values = log_probs.detach().double().cpu().numpy()
    if language_model is None or labels is None:
        return [
            _by_prefixes(i, values[i, :end], blank, beam_width, n_best)
            for i, end in enumerate(frames)
        ]
    spelt = _characters(labels, log_probs.shape[-1], blank)
    model = (os.fspath(language_model), float(alpha), float(beta))
    ids = {label: token for token, label in enumerate(spelt)}
    found = []
    for i, end in enumerate(frames):
        part = values[i, :end]
        texts = _language_model.best_texts(part, spelt, model, beam_width, n_best)
        floor = np.maximum(part, LEAST)
        found.append(
            [
                _laid_out(floor, np.array([ids[c] for c in text], np.int64), blank, score, text)
                for text, score in texts
            ]
        )
    return found


def _by_prefixes(
    item: int, log_probs: np.ndarray, blank: int, width: int, count: int
) -> list[CTCHypothesis]:
    found = _numba_prefixes.best_prefixes(log_probs, blank, width, count)
    if not found:
        raise TransformError(
            f"ctc_beam_decode: no path through recording {item} has a probability above 0: look "
            "for -inf in log_probs"
        )
    return [_laid_out(log_probs, tokens, blank, score) for tokens, score in found]


def _laid_out(
    log_probs: np.ndarray, tokens: np.ndarray, blank: int, score: float, text: str | None = None
) -> CTCHypothesis:
    """The hypothesis with the spans of its likeliest path."""
    spans: list[TokenSpan] = []
    if len(tokens):
        path, _ = _numba_alignment.best_path(np.ascontiguousarray(log_probs), tokens, blank)
        heard = log_probs[np.arange(len(path)), path]
        spans = merge_tokens(torch.from_numpy(path), torch.from_numpy(heard), blank)
    return CTCHypothesis(tuple(tokens.tolist()), tuple(spans), score, text)


def _characters(labels: Sequence[str], tokens: int, blank: int) -> tuple[str, ...]:
    """The labels as pyctcdecode wants them."""
    spelt = ["" if i == blank else label for i, label in enumerate(labels)]
    if " " not in spelt:
        spelt = [" " if label == "|" else label for label in spelt]
    odd = [label for i, label in enumerate(spelt) if i != blank and len(label) != 1]
    if len(spelt) != tokens or odd or len(set(spelt)) != tokens:
        raise TransformError(
            f"ctc_beam_decode: labels are {tokens} different characters, one a token; got "
            f"{len(spelt)}" + (f", among them {odd[0]!r}" if odd else "")
        )
    return tuple(spelt)


def _checked(
    name: str, log_probs: torch.Tensor, lengths: torch.Tensor | None, blank: int
) -> list[int]:
    """Frames of each recording."""
    check_floating(name, log_probs, what="log_probs [B, T, V]")
    if log_probs.ndim != 3:
        raise TransformError(
            f"{name} takes log_probs [B, T, V], got {tuple(log_probs.shape)}: a single recording "
            "is x[None]"
        )
    batch, length, tokens = log_probs.shape
    if not 0 <= blank < tokens:
        raise TransformError(f"{name}: blank is a token in [0, {tokens}), got {blank}")
    frames = [length] * batch
    if lengths is not None:
        frames = lengths.tolist()
        whole = not (lengths.is_floating_point() or lengths.is_complex())
        if lengths.shape != (batch,) or not whole or not all(0 <= n <= length for n in frames):
            raise TransformError(
                f"{name}: lengths [{batch}] are whole numbers in [0, {length}], got {frames}"
            )
    ends = torch.tensor(frames, device=log_probs.device)
    inside = torch.arange(length, device=log_probs.device) < ends[:, None]
    # NaN compares with nothing, and +inf is no logarithm of a probability
    wrong = (~(log_probs.detach() < torch.inf)).any(-1) & inside
    if bool(wrong.any()):
        i, t = wrong.nonzero()[0].tolist()
        raise TransformError(f"{name}: log_probs of recording {i} hold NaN or inf in frame {t}")
    return frames
