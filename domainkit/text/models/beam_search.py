"""Beam search, step for step as ``transformers`` runs it, so that the ids agree.

Two sets of texts live side by side for each sample: ``num_beams`` that run, and up to ``num_beams``
that have ended, ordered by score: the sum of log-probabilities over length ** length_penalty.
Each step looks at the best continuations of all running beams, twice as many as there are beams
(a beam can end by one token only, so half of them go on for sure). Those that end are candidates
for the second set if they are among the first ``num_beams``; the best that do not end run on.

A sample is left alone when nothing can enter its second set any more, and leaves the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from domainkit.ragged import Ragged
from domainkit.text.models.next_token import drop_repeats

__all__ = ["BeamSearch"]

NONE = -1e9  # the score of what is not there


@dataclass
class _Beams:
    """The texts of the samples that go on: ``texts`` int64 [B, n, T + 1] with the start token."""

    texts: torch.Tensor
    scores: torch.Tensor  # running: sums of log-probabilities, float [B, n], best first
    ended: torch.Tensor  # like texts
    ended_lengths: torch.Tensor  # int64 [B, n], new tokens
    ended_scores: torch.Tensor  # with the penalty, best first; NONE for an empty place
    has_ended: torch.Tensor  # bool [B, n]
    hopeful: torch.Tensor  # bool [B]: whether something could still enter

    def keep(self, samples: torch.Tensor) -> None:
        for name, value in vars(self).items():
            setattr(self, name, value[samples])


@dataclass(frozen=True)
class BeamSearch:
    """The arguments of a beam search; ``generate`` explains them."""

    beams: int
    longest: int
    length_penalty: float
    early_stopping: bool | str

    def run(
        self, model: Any, tokens: Ragged, start: int | None, ends: torch.Tensor, ngram: int
    ) -> Ragged:
        """The best text of each sample, as ``generate`` returns it."""
        n, device = self.beams, tokens.device
        logits, state = model.begin(tokens, start_id=start, beams=n)
        now = self._first(len(tokens), start or 0, device)
        alive = np.arange(len(tokens))
        best: dict[int, torch.Tensor] = {}
        for t in range(self.longest):
            scores = logits.float().log_softmax(-1)
            if ngram:
                so_far = now.texts[:, :, int(start is None) : t + 1]
                scores = drop_repeats(scores, so_far.flatten(0, 1), ngram)
            beam, ids = self._advance(now, scores.unflatten(0, (-1, n)), t, ends)
            done = ~now.hopeful
            if self.early_stopping is True:
                done = done | now.has_ended.all(1)
            if t + 1 == self.longest:
                done = torch.ones_like(done)
            over = done.cpu().numpy()
            for i in np.flatnonzero(over):
                best[int(alive[i])] = now.ended[i, 0, 1 : int(now.ended_lengths[i, 0]) + 1]
            if over.all():
                break
            first = torch.arange(len(alive), device=device)[:, None] * n
            state.reorder((first + beam).flatten())
            if over.any():
                kept = (~done).nonzero()[:, 0]
                now.keep(kept)
                state.keep(kept)
                ids, alive = ids[kept], alive[~over]
            logits = model.step(ids.flatten(), state)
        return Ragged.from_list([best[i] for i in range(len(tokens))])

    def _first(self, batch: int, start: int, device: torch.device) -> _Beams:
        n = self.beams
        texts = torch.full((batch, n, self.longest + 1), start, dtype=torch.int64, device=device)
        nothing = torch.full((batch, n), NONE, device=device)
        # all beams begin alike: only the first may go on, or all would find the same texts
        scores = nothing.clone()
        scores[:, 0] = 0.0
        no = torch.zeros(batch, n, dtype=torch.bool, device=device)
        hopeful = torch.ones(batch, dtype=torch.bool, device=device)
        return _Beams(texts, scores, texts.clone(), no.long(), nothing, no, hopeful)

    def _advance(
        self, now: _Beams, scores: torch.Tensor, t: int, ends: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One step of all samples: which beam each new one goes on from, and its token, [B, n]."""
        n, words = self.beams, scores.shape[-1]
        sums = (scores + now.scores[:, :, None]).flatten(1)
        wanted = min(max(2, 1 + len(ends)) * n, sums.shape[1])
        top, where = sums.topk(wanted)
        beam, ids = where // words, where % words
        texts = _rows(now.texts, beam)
        texts[:, :, t + 1] = ids
        ending = torch.isin(ids, ends)
        if t + 1 == self.longest:
            ending = torch.ones_like(ending)
        self._collect(now, texts, top, ending, t + 1)
        running = top + ending.float() * NONE
        chosen = running.topk(n).indices
        now.texts, now.scores = _rows(texts, chosen), running.gather(1, chosen)
        self._hope(now, t + 1)
        return beam.gather(1, chosen), ids.gather(1, chosen)

    def _collect(
        self, now: _Beams, texts: torch.Tensor, top: torch.Tensor, ending: torch.Tensor, length: int
    ) -> None:
        """Let texts that ended into the second set."""
        n = self.beams
        enters = ending.clone()
        enters[:, n:] = False  # the others are there only so that enough beams run on
        scores = top / (length**self.length_penalty)
        scores = scores + (~enters).float() * NONE
        both = torch.cat([now.ended_scores, scores], 1)
        chosen = both.topk(n).indices
        now.ended = _rows(torch.cat([now.ended, texts], 1), chosen)
        lengths = torch.cat(
            [now.ended_lengths, torch.full_like(ending, length, dtype=torch.int64)], 1
        )
        now.ended_lengths = lengths.gather(1, chosen)
        now.ended_scores = both.gather(1, chosen)
        now.has_ended = torch.cat([now.has_ended, enters], 1).gather(1, chosen)

    def _hope(self, now: _Beams, length: int) -> None:
        """Whether the best running beam may still beat the worst text that ended.

        How long it will get is not known: the guess is its length now, or, with "never" and a
        penalty that favours long texts, the longest allowed.
        """
        guess = length
        if self.early_stopping == "never" and self.length_penalty > 0:
            guess = self.longest
        best = now.scores[:, :1] / (guess**self.length_penalty)
        worst = now.ended_scores.amin(1, keepdim=True)
        worst = torch.where(now.has_ended, worst, torch.full_like(worst, NONE))
        now.hopeful = now.hopeful & (best > worst).any(1)


def _rows(texts: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """[B, m, T] at [B, k] gives [B, k, T]."""
    return texts.gather(1, index[:, :, None].expand(-1, -1, texts.shape[2]))
