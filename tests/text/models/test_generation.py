"""Generation against transformers' own, against plain definitions, and alike in any batch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.models.generation import generate
from domainkit.text.models.next_token import drop_repeats, keep_likely, pick
from domainkit.text.models.t5 import T5
from domainkit.text.models.t5_config import T5Config
from domainkit.text.models.t5_names import t5_state_dict

transformers = pytest.importorskip("transformers")

SIZES = {"vocab_size": 24, "d_model": 24, "d_kv": 8, "d_ff": 40, "num_heads": 3, "num_layers": 2}
LENGTHS = (5, 19, 1, 8, 8, 2, 30)
LONGEST = 20


def pair(kind: str, seed: int = 0) -> tuple[Any, T5]:
    """A random model whose texts end here and there, in transformers' form and ours."""
    torch.manual_seed(seed)
    more: dict[str, Any] = {"num_decoder_layers": 3}
    if kind == "v1.1":
        more = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    config = transformers.T5Config(**SIZES, **more, decoder_start_token_id=0)
    theirs = transformers.T5ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    if kind == "v1.1":
        theirs.lm_head.weight = torch.nn.Parameter(0.4 * torch.randn(24, 24))
    ours = T5(T5Config.from_dict({**SIZES, **more})).eval()
    ours.load_state_dict(t5_state_dict(theirs.state_dict(), ours))
    return theirs, ours


def texts(lengths: tuple[int, ...] = LENGTHS) -> Ragged:
    generator = torch.Generator().manual_seed(1)
    return Ragged.from_list([torch.randint(2, 24, (n,), generator=generator) for n in lengths])


def by_transformers(model: Any, batch: Ragged, **args: Any) -> list[list[int]]:
    """Their ids without the start token and what follows the end token."""
    dense, lengths = batch.pad(0)
    mask = (torch.arange(dense.shape[1]) < lengths[:, None]).long()
    out = model.generate(
        input_ids=dense, attention_mask=mask, max_new_tokens=LONGEST, do_sample=False, **args
    )
    ends = args.get("eos_token_id", 1)
    ends = [ends] if isinstance(ends, int) else ends
    rows = []
    for row in out[:, 1:].tolist():
        stop = next((i + 1 for i, token in enumerate(row) if token in ends), len(row))
        rows.append(row[:stop])
    return rows


def lists(batch: Ragged) -> list[list[int]]:
    return [item.tolist() for item in batch]


@pytest.mark.parametrize("ngram", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", ["v1.0", "v1.1"])
def test_greedy_ids_are_those_of_transformers(kind: str, seed: int, ngram: int) -> None:
    theirs, ours = pair(kind, seed)
    more = {"no_repeat_ngram_size": ngram} if ngram else {}
    expected = by_transformers(theirs, texts(), num_beams=1, **more)
    found = generate(ours, texts(), max_new_tokens=LONGEST, no_repeat_ngram_size=ngram)
    assert lists(found) == expected


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 1.0, 2.5])
@pytest.mark.parametrize("stopping", [False, True, "never"])
@pytest.mark.parametrize("beams", [2, 3, 4])
@pytest.mark.parametrize("kind", ["v1.0", "v1.1"])
def test_beam_ids_are_those_of_transformers(
    kind: str, beams: int, stopping: bool | str, penalty: float
) -> None:
    theirs, ours = pair(kind, seed=beams)
    args = {"num_beams": beams, "length_penalty": penalty, "early_stopping": stopping}
    expected = by_transformers(theirs, texts(), **args)
    found = generate(ours, texts(), max_new_tokens=LONGEST, strategy="beam", **args)
    assert lists(found) == expected


def test_beams_with_several_ends_and_without_repeats() -> None:
    theirs, ours = pair("v1.0", seed=5)
    for ends in ([1, 7, 9], [3]):
        for ngram in (0, 2):
            more = {"no_repeat_ngram_size": ngram} if ngram else {}
            expected = by_transformers(theirs, texts(), num_beams=3, eos_token_id=ends, **more)
            found = generate(
                ours,
                texts(),
                max_new_tokens=LONGEST,
                strategy="beam",
                num_beams=3,
                eos_id=ends,
                no_repeat_ngram_size=ngram,
            )
            assert lists(found) == expected
