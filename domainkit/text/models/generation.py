"""``generate``: write token by token - greedily, by sampling, or by beam search.

Nothing here knows T5. A model that can ``begin`` and ``step`` generates: see ``LanguageModel``.
Sequences that are finished leave the batch at once, and with them their part of the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError, nearest
from domainkit.ragged import Ragged
from domainkit.text.models.beam_search import BeamSearch
from domainkit.text.models.next_token import drop_repeats, keep_likely, pick

__all__ = ["DecodingState", "LanguageModel", "generate"]

STRATEGIES = ("beam", "greedy", "sample")


class DecodingState(Protocol):
    """What a model remembers of a batch: rows ``b * beams + j`` are the beams of sample b."""

    def reorder(self, rows: torch.Tensor) -> None:
        """Row i goes on from what row ``rows[i]`` was, a beam of the same sample; int64 [R]."""

    def keep(self, samples: torch.Tensor) -> None:
        """Go on with these samples only, int64 [B'], rising."""


class LanguageModel(Protocol):
    """What ``generate`` asks of a model: an encoder-decoder, or a decoder with its prompts.

    ``begin`` reads the inputs (encodes them, or takes them as the beginning of the text) and gives
    the logits of the first new token, float [B * beams, V], with the state; ``step`` takes one more
    token for each row, int64 [R], and gives the logits of the next, [R, V]. ``start_id`` is what a
    decoder is fed first, None for models without such a token. It is an attribute too, as is
    ``eos_id``: what ``generate`` takes when the caller says nothing.
    """

    @property
    def eos_id(self) -> int | Sequence[int]: ...

    @property
    def start_id(self) -> int | None: ...

    def begin(self, tokens: Ragged, *, start_id: Any, beams: int) -> tuple[torch.Tensor, Any]: ...

    def step(self, ids: torch.Tensor, state: Any) -> torch.Tensor: ...


@torch.no_grad()
def generate(
    model: LanguageModel,
    tokens: Ragged | torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    *,
    max_new_tokens: int,
    strategy: str = "greedy",
    num_beams: int | None = None,
    length_penalty: float | None = None,
    early_stopping: bool | str | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    no_repeat_ngram_size: int = 0,
    eos_id: int | Sequence[int] | None = None,
    start_id: int | None = None,
    draws: Draws | None = None,
    generator: torch.Generator | None = None,
) -> Ragged:
    """The texts that a model writes for a batch of inputs.

    Args:
        model: such as ``T5``, in evaluation mode; any ``LanguageModel``.
        tokens: a ``Ragged`` of items [L_i], int64; or dense [B, L] with ``attention_mask``.
        attention_mask: bool or 0 and 1, [B, L], for dense tokens with padding.
        max_new_tokens: the longest text, its end token included.
        strategy: "greedy": the likeliest token each time. "sample": one by its probability.
            "beam": keep the ``num_beams`` best beginnings, and of all that ended the best.
        num_beams: 2 or more; 4 when not given.
        length_penalty: a beam's score is the sum of its log-probabilities over its length to this
            power; 1 when not given, above 0 favours long texts.
        early_stopping: True stops a sample when ``num_beams`` texts have ended; False (when not
            given) when the best running beam, were it to end now, no longer beats the worst of
            them; "never" when no length up to the longest could.
        temperature: divides the logits of "sample"; above 0, 1 when not given.
        top_k: sample only from this many likeliest tokens (A. Fan et al., ACL 2018).
        top_p: sample only from the fewest tokens that reach this probability together
            (A. Holtzman et al., ICLR 2020); in (0, 1], applied after ``top_k``.
        no_repeat_ngram_size: no run of so many tokens appears twice in a text, the start token
            counted; 0 allows all.
        eos_id: the id that ends a text, or several; () for none. None: the model's.
        start_id: the id that a decoder is fed first. None: the model's.
        draws: the random numbers of "sample": number t of a sample's draws decides its token t, so
            a sample writes the same text alone and in any batch, as far as its logits do.
        generator: seeds the draws when there are none; None for torch's.

    Returns:
        A ``Ragged`` of items [M_i], int64: the new tokens, without the start token and with the
        end token where one came within ``max_new_tokens``. Greedy and beam search write what
        ``transformers`` writes with the same arguments.

    Raises:
        TransformError: an argument out of its range or of another strategy; the model is in
            training mode.

    Example:
        >>> import torch
        >>> from domainkit.ragged import Ragged
        >>> from domainkit.text.models.t5 import T5
        >>> from domainkit.text.models.t5_config import T5Config
        >>> model = T5(T5Config(vocab_size=50, d_model=16, d_kv=4, d_ff=32, num_layers=2)).eval()
        >>> texts = Ragged.from_list([torch.tensor([5, 7, 1]), torch.tensor([9, 1])])
        >>> written = generate(model, texts, max_new_tokens=5, eos_id=())
        >>> written
        Ragged(B=2, items=[5], dtype=int64, device=cpu)
    """
    beaming = {
        "num_beams": num_beams,
        "length_penalty": length_penalty,
        "early_stopping": early_stopping,
    }
    sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    strangers = {"draws": draws, "generator": generator}
    _check(model, strategy, max_new_tokens, beaming, sampling | strangers)
    tokens = _ragged(tokens, attention_mask)
    start = model.start_id if start_id is None else start_id
    stops = model.eos_id if eos_id is None else eos_id
    stops = [stops] if isinstance(stops, int) else list(stops)
    ends = torch.tensor(stops, dtype=torch.int64, device=tokens.device)
    if len(tokens) == 0:
        return Ragged.from_shapes(tokens.values[:0], [])
    if strategy == "beam":
        search = BeamSearch(
            4 if num_beams is None else num_beams,
            max_new_tokens,
            1.0 if length_penalty is None else length_penalty,
            False if early_stopping is None else early_stopping,
        )
        return search.run(model, tokens, start, ends, no_repeat_ngram_size)
    if strategy == "sample" and draws is None:
        draws = Draws.from_generator(len(tokens), generator)
    if draws is not None and len(draws) != len(tokens):
        raise TransformError(f"generate: draws for {len(draws)} samples, tokens of {len(tokens)}")
    return _one_by_one(
        *(model, tokens, start, ends),
        longest=max_new_tokens,
        ngram=no_repeat_ngram_size,
        draws=draws,
        sampling={name: value for name, value in sampling.items() if value is not None},
    )


def _one_by_one(
    model: LanguageModel,
    tokens: Ragged,
    start: int | None,
    ends: torch.Tensor,
    *,
    longest: int,
    ngram: int,
    draws: Draws | None,
    sampling: dict[str, Any],
) -> Ragged:
    """Greedy where there are no draws, else by sampling."""
    batch, device = len(tokens), tokens.device
    logits, state = model.begin(tokens, start_id=start, beams=1)
    written = torch.full((batch, longest + 1), start or 0, dtype=torch.int64, device=device)
    lengths = torch.full((batch,), longest, dtype=torch.int64, device=device)
    alive = torch.arange(batch, device=device)
    for t in range(longest):
        scores = logits.float()
        if ngram:
            scores = drop_repeats(scores, written[alive, int(start is None) : t + 1], ngram)
        if draws is None:
            ids = scores.argmax(-1)
        else:
            own = replace(draws, ids=draws.ids.to(device)[alive])
            ids = pick(keep_likely(scores, **sampling), own.bits(2, start=2 * t))
        written[alive, t + 1] = ids
        if t + 1 == longest:
            break
        going = ~torch.isin(ids, ends)
        if not bool(going.all()):
            lengths[alive[~going]] = t + 1
            kept = going.nonzero()[:, 0]
            if not len(kept):
                break
            alive, ids = alive[kept], ids[kept]
            state.keep(kept)
        logits = model.step(ids, state)
    return Ragged.unpad(written[:, 1:], lengths)


def _ragged(tokens: Ragged | torch.Tensor, mask: torch.Tensor | None) -> Ragged:
    if isinstance(tokens, Ragged):
        if mask is not None:
            raise TransformError("generate: attention_mask goes with dense tokens, not a Ragged")
        return tokens
    if tokens.ndim != 2 or (mask is not None and mask.shape != tokens.shape):
        raise TransformError(
            "generate takes a Ragged of items [L_i] or tokens [B, L] with a mask of that shape, "
            f"got {list(tokens.shape)} and {None if mask is None else list(mask.shape)}"
        )
    if mask is None:
        mask = torch.ones_like(tokens)
    inside = mask.bool()
    place = torch.arange(inside.shape[1], device=inside.device)
    first = torch.where(inside, place, inside.shape[1]).amin(1) if inside.numel() else None
    last = torch.where(inside, place, -1).amax(1) if inside.numel() else None
    if (
        first is not None
        and last is not None
        and bool(((last - first + 1).clamp(min=0) != inside.sum(1)).any())
    ):
        raise TransformError("generate: attention_mask has holes between tokens")
    return Ragged.from_shapes(tokens[inside], inside.sum(1).cpu().numpy())


def _check(
    model: Any,
    strategy: str,
    longest: int,
    beaming: dict[str, Any],
    sampling: dict[str, Any],
) -> None:
    if strategy not in STRATEGIES:
        raise TransformError(f"strategy={strategy!r} is unknown. {nearest(strategy, STRATEGIES)}")
    strangers = {"beam": sampling, "sample": beaming, "greedy": beaming | sampling}[strategy]
    for name, value in strangers.items():
        if value is not None:
            owner = "beam" if name in beaming else "sample"
            raise TransformError(
                f"{name} means nothing to strategy={strategy!r}: it belongs to {owner!r}"
            )
    if longest < 1:
        raise TransformError(f"max_new_tokens must be 1 or more, got {longest}")
    if getattr(model, "training", False):
        raise TransformError("generate: the model is in training mode: call model.eval() first")
    ranges = {
        "num_beams": lambda x: x >= 2,
        "early_stopping": lambda x: x in (True, False, "never"),
        "temperature": lambda x: x > 0,
        "top_k": lambda x: x >= 1,
        "top_p": lambda x: 0 < x <= 1,
    }
    for name, fits in ranges.items():
        value = (beaming | sampling)[name]
        if value is not None and not fits(value):
            raise TransformError(f"generate: {name}={value!r} is out of its range")
