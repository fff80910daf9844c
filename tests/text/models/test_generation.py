"""Generation against transformers' own, against plain definitions, and alike in any batch."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from itertools import pairwise, product
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

SIZES = {"vocab_size": 9, "d_model": 24, "d_kv": 8, "d_ff": 40, "num_heads": 3, "num_layers": 2}
LENGTHS = (5, 19, 1, 8, 8, 2, 30)
LONGEST = 20


@cache
def pair(kind: str, seed: int = 3) -> tuple[Any, T5]:
    """A random model whose texts end here and there, in transformers' form and ours."""
    torch.manual_seed(seed)
    more: dict[str, Any] = {"num_decoder_layers": 1}
    if kind == "v1.1":
        more = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    config = transformers.T5Config(**SIZES, **more, decoder_start_token_id=0)
    theirs = transformers.T5ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    if kind == "v1.1":
        theirs.lm_head.weight = torch.nn.Parameter(0.4 * torch.randn(9, 24))
    ours = T5(T5Config.from_dict({**SIZES, **more})).eval()
    ours.load_state_dict(t5_state_dict(theirs.state_dict(), ours))
    return theirs, ours


def texts(lengths: tuple[int, ...] = LENGTHS) -> Ragged:
    generator = torch.Generator().manual_seed(1)
    return Ragged.from_list([torch.randint(2, 9, (n,), generator=generator) for n in lengths])


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
@pytest.mark.parametrize(("kind", "seed"), [("v1.0", 1), ("v1.0", 2), ("v1.1", 3), ("v1.1", 6)])
def test_greedy_ids_are_those_of_transformers(kind: str, seed: int, ngram: int) -> None:
    theirs, ours = pair(kind, seed)
    more = {"no_repeat_ngram_size": ngram} if ngram else {}
    expected = by_transformers(theirs, texts(), num_beams=1, **more)
    found = generate(ours, texts(), max_new_tokens=LONGEST, no_repeat_ngram_size=ngram)
    assert lists(found) == expected
    assert ngram or len({len(text) for text in expected}) > 1  # some end before others


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 1.0, 2.5])
@pytest.mark.parametrize("stopping", [False, True, "never"])
@pytest.mark.parametrize("beams", [2, 3, 4])
@pytest.mark.parametrize(("kind", "seed"), [("v1.0", 1), ("v1.1", 6)])
def test_beam_ids_are_those_of_transformers(
    kind: str, seed: int, beams: int, stopping: bool | str, penalty: float
) -> None:
    theirs, ours = pair(kind, seed)
    args = {"num_beams": beams, "length_penalty": penalty, "early_stopping": stopping}
    expected = by_transformers(theirs, texts(), **args)
    found = generate(ours, texts(), max_new_tokens=LONGEST, strategy="beam", **args)
    assert lists(found) == expected


def test_beams_with_several_ends_and_without_repeats() -> None:
    theirs, ours = pair("v1.1", 6)
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


def test_one_token_is_the_shortest_text() -> None:
    theirs, ours = pair("v1.1")
    dense, lengths = texts().pad(0)
    mask = torch.arange(dense.shape[1]) < lengths[:, None]
    for beams in (1, 3):
        strategy = {"strategy": "beam", "num_beams": 3} if beams > 1 else {}
        expected = theirs.generate(
            dense, attention_mask=mask.long(), max_new_tokens=1, num_beams=beams, do_sample=False
        )
        assert lists(generate(ours, texts(), max_new_tokens=1, **strategy)) == [
            [row[1]] for row in expected.tolist()
        ]


def test_dense_tokens_are_read_by_their_mask() -> None:
    _, ours = pair("v1.1")
    expected = lists(generate(ours, texts(), max_new_tokens=8))
    for side in ("left", "right"):
        dense, _ = texts().pad(0, side=side)
        found = generate(ours, dense, dense != 0, max_new_tokens=8)
        assert lists(found) == expected
    same = texts((4, 4))
    assert lists(generate(ours, same.dense(), max_new_tokens=8)) == lists(
        generate(ours, same, max_new_tokens=8)
    )


@pytest.mark.parametrize("strategy", ["greedy", "sample", "beam"])
def test_a_text_is_the_same_alone_and_in_a_batch(strategy: str) -> None:
    _, ours = pair("v1.1", 6)
    ids = torch.arange(100, 100 + len(LENGTHS))
    more: dict[str, Any] = {"max_new_tokens": LONGEST, "strategy": strategy}

    def own(rows: slice) -> dict[str, Any]:
        return {"draws": Draws(3, 0, ids[rows])} if strategy == "sample" else {}

    together = lists(generate(ours, texts(), **more, **own(slice(None))))
    assert len(set(map(tuple, together))) > 2
    for i in range(len(LENGTHS)):
        rows = slice(i, i + 1)
        assert lists(generate(ours, texts()[rows], **more, **own(rows))) == [together[i]]


@pytest.mark.parametrize("kind", ["v1.0", "v1.1"])
def test_steps_with_a_cache_are_the_whole_pass(kind: str) -> None:
    _, ours = pair(kind)
    written = torch.randint(0, 9, (len(LENGTHS), 40), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        whole = ours(texts(), Ragged.from_list(list(written)))
        logits, state = ours.begin(texts(), start_id=0, beams=1)
        written[:, 0] = 0
        whole = ours(texts(), Ragged.from_list(list(written))).dense()
        for t in range(40):
            torch.testing.assert_close(logits, whole[:, t], rtol=1e-5, atol=1e-5)
            logits = ours.step(written[:, t + 1], state) if t < 39 else logits


def test_beams_share_a_source_and_swap_their_pasts() -> None:
    _, ours = pair("v1.0")
    batch = texts((3, 6))
    with torch.no_grad():
        _, state = ours.begin(batch, start_id=0, beams=2)
        ours.step(torch.tensor([2, 3, 4, 5]), state)
        state.reorder(torch.tensor([1, 1, 2, 3]))  # the first sample goes on from its second beam
        state.keep(torch.tensor([0]))
        found = ours.step(torch.tensor([6, 7]), state)
        for row, last in enumerate((6, 7)):
            expected = ours(batch[:1], Ragged.from_list([torch.tensor([0, 3, last])])).values[-1]
            torch.testing.assert_close(found[row], expected, rtol=1e-5, atol=1e-5)


def test_an_empty_source_and_an_empty_batch() -> None:
    _, ours = pair("v1.0")
    batch = Ragged.from_list([torch.tensor([3, 4]), torch.tensor([], dtype=torch.int64)])
    both = lists(generate(ours, batch, max_new_tokens=6, eos_id=()))
    assert [len(text) for text in both] == [6, 6]
    assert lists(generate(ours, batch[1:], max_new_tokens=6, eos_id=())) == both[1:]
    assert len(generate(ours, batch[:0], max_new_tokens=6)) == 0


# -- a model that is no T5 ------------------------------------------------------------------------


class Chain:
    """The smallest language model: the next token depends on the last one of the prompt or text."""

    eos_id, start_id = 0, None

    def __init__(self, words: int = 4) -> None:
        table = torch.randn(words, words, generator=torch.Generator().manual_seed(7))
        self.table = table.log_softmax(-1)

    def begin(self, tokens: Ragged, *, start_id: Any, beams: int) -> tuple[torch.Tensor, Any]:
        last = torch.stack([item[-1] for item in tokens]).repeat_interleave(beams)
        return self.table[last], self

    def step(self, ids: torch.Tensor, state: Any) -> torch.Tensor:
        return self.table[ids]

    def reorder(self, rows: torch.Tensor) -> None: ...

    def keep(self, samples: torch.Tensor) -> None: ...


def score(model: Chain, prompt: int, text: tuple[int, ...]) -> float:
    return sum(float(model.table[a, b]) for a, b in pairwise((prompt, *text)))


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_enough_beams_find_the_best_of_all_texts(penalty: float) -> None:
    model, longest = Chain(), 3
    prompts = Ragged.from_list([torch.tensor([2, 1]), torch.tensor([3])])
    found = generate(
        *(model, prompts),
        max_new_tokens=longest,
        strategy="beam",
        num_beams=64,
        length_penalty=penalty,
        early_stopping="never",
    )
    whole = [
        text
        for n in range(1, longest + 1)
        for text in product(range(4), repeat=n)
        if 0 not in text[:-1] and (text[-1] == 0 or n == longest)
    ]
    for item, prompt in zip(found, (1, 3), strict=True):
        best = max(whole, key=lambda t, p=prompt: score(model, p, t) / len(t) ** penalty)
        assert item.tolist() == list(best)


@pytest.mark.parametrize("strategy", ["greedy", "beam"])
def test_without_a_start_token_nothing_is_counted_before_the_text(strategy: str) -> None:
    model = Chain()
    prompts = Ragged.from_list([torch.tensor([2]), torch.tensor([3])])
    found = generate(
        model, prompts, max_new_tokens=4, strategy=strategy, eos_id=(), no_repeat_ngram_size=1
    )
    assert [sorted(text) for text in lists(found)] == [[0, 1, 2, 3]] * 2


def test_whole_texts_are_drawn_by_their_probability() -> None:
    model, count = Chain(), 20000
    prompts = Ragged.from_shapes(torch.full((count,), 2), [1] * count)
    draws = Draws(5, 0, torch.arange(count))
    found = generate(model, prompts, max_new_tokens=2, strategy="sample", draws=draws)
    seen = Counter(tuple(item) for item in lists(found))
    for text in [(0,), *product(range(1, 4), range(4))]:
        chance = math.exp(score(model, 2, text))
        error = math.sqrt(chance * (1 - chance) / count)
        assert abs(seen[text] / count - chance) < 4.5 * error, text
    assert sum(seen.values()) == count


# -- sampling ----------------------------------------------------------------------------------


def test_tokens_are_drawn_by_their_probability() -> None:
    logits = torch.tensor([0.5, -1.0, 2.0, 0.0, -float("inf"), 1.0])
    count = 40000
    draws = Draws(1, 0, torch.arange(count))
    found = pick(logits.expand(count, -1), draws.bits(2)).bincount(minlength=6)
    expected = logits.double().softmax(-1)
    error = (expected * (1 - expected) / count).sqrt()
    assert (found[4] == 0) and bool(((found / count - expected).abs() <= 4 * error).all())


def test_the_first_token_of_many_samples_follows_the_models_logits() -> None:
    _, ours = pair("v1.0", 2)
    count = 3000
    one = texts((5,))
    many = Ragged.from_shapes(one.values.repeat(count), [5] * count)
    with torch.no_grad():
        logits, _ = ours.begin(one, start_id=0, beams=1)
    expected = (logits[0].double() / 1.7).softmax(-1)
    first = generate(
        ours,
        many,
        max_new_tokens=1,
        strategy="sample",
        temperature=1.7,
        generator=torch.Generator().manual_seed(0),
    ).values
    error = (expected * (1 - expected) / count).sqrt()
    found = first.bincount(minlength=9) / count
    assert bool(((found - expected).abs() <= 4 * error + 1e-9).all())


@pytest.mark.parametrize("top_k", [None, 1, 4, 50])
@pytest.mark.parametrize("top_p", [None, 0.05, 0.6, 0.95, 1.0])
def test_likely_tokens_are_those_of_the_plain_definition(
    top_k: int | None, top_p: float | None
) -> None:
    logits = 2 * torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    kept = keep_likely(logits, temperature=0.7, top_k=top_k, top_p=top_p)
    for row, result in zip((logits / 0.7).tolist(), kept, strict=True):
        order = sorted(range(30), key=lambda i: -row[i])[: top_k or 30]
        chances = torch.tensor([row[i] for i in order], dtype=torch.float64).softmax(0).tolist()
        wanted, reached = [], 0.0
        for token, chance in zip(order, chances, strict=True):
            if top_p is not None and reached >= top_p and wanted:
                break
            wanted.append(token)
            reached += chance
        if top_p == 1.0:
            wanted = order
        assert set(result.isfinite().nonzero()[:, 0].tolist()) == set(wanted)
        torch.testing.assert_close(result[wanted], (torch.tensor(row))[wanted])


def test_likely_tokens_are_those_of_transformers() -> None:
    process = transformers.generation.logits_process
    logits = 2 * torch.randn(50, 40, generator=torch.Generator().manual_seed(0))
    for k, p in ((5, 0.7), (40, 0.3), (12, 0.99)):
        expected = process.TopKLogitsWarper(k)(
            None, process.TemperatureLogitsWarper(1.3)(None, logits)
        )
        expected = process.TopPLogitsWarper(p)(None, expected)
        torch.testing.assert_close(keep_likely(logits, temperature=1.3, top_k=k, top_p=p), expected)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_repeats_are_those_of_transformers(size: int) -> None:
    written = torch.randint(0, 5, (30, 17), generator=torch.Generator().manual_seed(0))
    process = transformers.generation.logits_process.NoRepeatNGramLogitsProcessor(size)
    scores = torch.zeros(30, 6)
    assert torch.equal(drop_repeats(scores, written, size), process(written, scores))


# -- wrong use ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"strategy": "beams"}, "Did you mean 'beam'"),
        ({"temperature": 0.5}, "belongs to 'sample'"),
        ({"strategy": "sample", "num_beams": 3}, "belongs to 'beam'"),
        ({"strategy": "sample", "top_p": 0.0}, "top_p=0.0 is out of its range"),
        ({"strategy": "sample", "temperature": 0.0}, "temperature=0.0 is out"),
        ({"strategy": "beam", "num_beams": 1}, "num_beams=1 is out"),
        ({"strategy": "beam", "early_stopping": "always"}, "early_stopping='always' is out"),
        ({"draws": Draws(0, 0, torch.arange(7))}, "draws means nothing to strategy='greedy'"),
        ({"strategy": "sample", "draws": Draws(0, 0, torch.arange(2))}, "draws for 2 samples"),
        ({"max_new_tokens": 0}, "must be 1 or more, got 0"),
        ({"attention_mask": torch.ones(7, 30)}, "goes with dense tokens"),
    ],
    ids=lambda x: "" if isinstance(x, dict) else x,
)
def test_wrong_arguments_say_what_to_do(args: dict[str, Any], message: str) -> None:
    _, ours = pair("v1.0")
    with pytest.raises(TransformError, match=message):
        generate(ours, texts(), **{"max_new_tokens": 3, **args})


def test_a_mask_with_holes_and_a_model_in_training_are_refused() -> None:
    _, ours = pair("v1.0")
    for mask in ([1, 0, 1, 0, 1], [1, 0, 1, 1, 1], [0, 1, 0, 1, 0]):
        with pytest.raises(TransformError, match="holes"):
            generate(ours, torch.ones(1, 5).long(), torch.tensor([mask]), max_new_tokens=2)
    ours.train()
    try:
        with pytest.raises(TransformError, match=r"call model\.eval"):
            generate(ours, texts(), max_new_tokens=2)
    finally:
        ours.eval()
