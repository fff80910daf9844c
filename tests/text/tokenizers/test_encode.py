"""Pairs, truncation, types and offsets as transformers has them; what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from domainkit.errors import TransformError
from domainkit.text.tokenizers import Tokenizer, train_bpe

PAIRS = [
    ("", ""),
    ("one", ""),
    ("", "two words"),
    ("a quite long first sentence, really", "short"),
    ("short", "a quite long second sentence, really it is"),
    ("both of them are of about the same size", "and so they lose about as much each"),
    ("naïve 😀 café 你好", "Привет ½ e\u0301\u0323 x"),
]
FIRST, SECOND = [a for a, _ in PAIRS], [b for _, b in PAIRS]


@pytest.fixture(scope="module", params=["bert", "gpt2", "roberta", "t5"])
def both(
    request: pytest.FixtureRequest, spm: Callable[[str], Path], tmp_path_factory: Any
) -> tuple[Tokenizer, Any]:
    """A tokenizer and the one of transformers."""
    if request.param == "t5":
        folder = tmp_path_factory.mktemp("t5")
        (folder / "spiece.model").write_bytes(spm("t5").read_bytes())
        truth = transformers.T5Tokenizer.from_pretrained(str(folder))
        return Tokenizer.from_file(folder, family="t5"), truth
    folder = request.getfixturevalue(request.param)
    name = {"bert": "Bert", "gpt2": "GPT2", "roberta": "Roberta"}[request.param]
    truth = getattr(transformers, f"{name}Tokenizer").from_pretrained(str(folder))
    return Tokenizer.from_file(folder), truth


def rows(ragged: Any) -> list[list[Any]]:
    return [item.tolist() for item in ragged]


@pytest.mark.parametrize("special", [True, False])
def test_pairs_and_types(both: tuple[Tokenizer, Any], special: bool) -> None:
    tokenizer, truth = both
    args = {"add_special_tokens": special, "return_token_type_ids": True}
    theirs = truth(FIRST, SECOND, **args)
    assert rows(tokenizer.encode(FIRST, SECOND, special_tokens=special)) == theirs["input_ids"]
    details = tokenizer.encode_details(FIRST, SECOND, special_tokens=special)
    assert rows(details.ids) == theirs["input_ids"]
    assert rows(details.types) == theirs["token_type_ids"]
    which = [[-1 if i is None else i for i in e.sequence_ids] for e in theirs.encodings]
    assert rows(details.texts) == which


@pytest.mark.parametrize("strategy", ["longest_first", "only_first", "only_second"])
@pytest.mark.parametrize("length", [4, 5, 6, 7, 8, 9, 12, 13, 20, 100])
def test_truncation_of_pairs(both: tuple[Tokenizer, Any], strategy: str, length: int) -> None:
    tokenizer, truth = both
    for a, b in PAIRS:
        args = {"max_length": length, "truncation": strategy}
        sizes = [len(truth(text, add_special_tokens=False)["input_ids"]) for text in (a, b)]
        over = sum(sizes) + truth.num_special_tokens_to_add(pair=True) - length
        cut = sizes[0] if strategy == "only_first" else sizes[1]
        if strategy != "longest_first" and over > 0 and over >= cut:
            with pytest.raises(TransformError, match="cannot make it short enough"):
                tokenizer.encode([a], [b], **args)
            continue
        theirs = truth([a], [b], **args)["input_ids"]
        assert rows(tokenizer.encode([a], [b], **args)) == theirs, (a, b)


@pytest.mark.parametrize("length", [2, 3, 5, 8, 50])
def test_truncation_of_single_texts(both: tuple[Tokenizer, Any], length: int) -> None:
    tokenizer, truth = both
    for strategy in ("longest_first", "only_first"):
        theirs = truth(SECOND, max_length=length, truncation=strategy)["input_ids"]
        mine = tokenizer.encode(SECOND, max_length=length, truncation=strategy)
        assert rows(mine) == theirs
        details = tokenizer.encode_details(SECOND, max_length=length, truncation=strategy)
        assert rows(details.ids) == theirs
        assert len(details) == len(SECOND) and details.offsets.inner == (2,)


def test_offsets(both: tuple[Tokenizer, Any], hard: list[str]) -> None:
    tokenizer, truth = both
    details = tokenizer.encode_details(hard)
    theirs = truth(hard, return_offsets_mapping=True)["offset_mapping"]
    if not isinstance(truth, transformers.T5Tokenizer):  # its "▁" begins at another place
        assert rows(details.offsets) == [[list(pair) for pair in row] for row in theirs]
    for text, row in zip(hard, rows(details.offsets), strict=True):
        assert all(0 <= a <= b <= len(text) for a, b in row)


def test_offsets_slice_the_words_out_of_the_text(bert: Path) -> None:
    text, pair = "Ångström's  naïve\tcafé!", "unbelievable 你好"
    details = Tokenizer.from_file(bert).encode_details([text], [pair])
    found = [
        (text, pair)[which][a:b]
        for (a, b), which in zip(rows(details.offsets)[0], rows(details.texts)[0], strict=True)
        if which >= 0
    ]
    assert "".join(found) == "Ångström'snaïvecafé!unbelievable你好"
    assert found[-3:] == ["unbelievable", "你", "好"] and "naïve" in found


def test_empty_batches(both: tuple[Tokenizer, Any]) -> None:
    tokenizer, _ = both
    for tokens in (
        tokenizer.encode([]),
        tokenizer.encode([], []),
        tokenizer.encode([], max_length=9),
    ):
        assert len(tokens) == 0 and tokens.dtype == torch.int64
    assert len(tokenizer.encode_details([]).offsets) == 0
    assert tokenizer.decode([]) == []


@pytest.mark.parametrize("backend", ["gigatoken", "tiktoken", "tokenizers"])
def test_half_a_surrogate_pair_is_named(gpt2: Path, backend: str) -> None:
    tokenizer = Tokenizer.from_file(gpt2, backend=backend)
    for text in ("ab\ud83d", "ab\ude00c"):
        with pytest.raises(TransformError, match=r"text 1 is no Unicode text.*character 2"):
            tokenizer.encode(["fine", text])
        with pytest.raises(TransformError, match="text 1"):
            tokenizer.encode_details(["fine", text])


def test_half_a_surrogate_pair_for_sentencepiece(spm: Callable[[str], Path]) -> None:
    for backend in ("sentencepiece", "tokenizers"):
        with pytest.raises(TransformError, match="text 0 is no Unicode text"):
            Tokenizer.from_file(spm("bpe"), backend=backend).encode(["\udfff", "b"])


def test_what_is_refused(both: tuple[Tokenizer, Any]) -> None:
    tokenizer, _ = both
    with pytest.raises(TransformError, match="put it into a list"):
        tokenizer.encode("text")
    with pytest.raises(TransformError, match="item 1 is bytes"):
        tokenizer.encode(["a", b"b"])
    with pytest.raises(TransformError, match="2 texts need as many pairs, got 1"):
        tokenizer.encode(["a", "b"], ["c"])
    with pytest.raises(TransformError, match="truncation is one of"):
        tokenizer.encode(["a"], max_length=5, truncation="shortest")
    with pytest.raises(TransformError, match="text 1 has"):
        tokenizer.encode(["a", "b c d e f g h"], max_length=4, truncation="error")
    with pytest.raises(TransformError, match="needs pairs"):
        tokenizer.encode(["b c d e f g h"], max_length=4, truncation="only_second")
    with pytest.raises(TransformError, match="max_length"):
        tokenizer.encode(["a"], max_length=-1)


def test_no_room_for_special_tokens(bert: Path) -> None:
    with pytest.raises(TransformError, match="max_length 1 leaves no room for 2 special"):
        Tokenizer.from_file(bert).encode(["a"], max_length=1)
    assert rows(Tokenizer.from_file(bert).encode(["a"], max_length=2)) == [[101, 102]]


def test_it_pickles_by_content_and_saves(both: tuple[Tokenizer, Any], tmp_path: Path) -> None:
    tokenizer, _ = both
    texts = [*FIRST, "x y"]
    again = pickle.loads(pickle.dumps(tokenizer))
    tokenizer.save(tmp_path)
    saved = Tokenizer.from_file(tmp_path)
    text = Tokenizer.from_json(tokenizer.to_json())
    for other in (again, saved, text):
        assert rows(other.encode(texts)) == rows(tokenizer.encode(texts))
        assert (other.vocab_size, other.special_ids) == (
            *(tokenizer.vocab_size, tokenizer.special_ids),
        )
    assert repr(again).startswith("Tokenizer(") and again.backend == tokenizer.backend
    assert again.eos_id == tokenizer.eos_id and again.unk_id == tokenizer.unk_id


def test_threads_get_the_same(gpt2: Path, hard: list[str]) -> None:
    tokenizer = Tokenizer.from_file(gpt2)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: rows(tokenizer.encode(hard)), range(12)))
    assert all(one == found[0] for one in found)


def test_tokens_and_ids() -> None:
    tokenizer = Tokenizer.from_json(train_bpe(["low lower"] * 3, 40))
    assert tokenizer.token_to_id("[MASK]") == 2 and tokenizer.token_to_id("none") is None
    assert tokenizer.id_to_token(2) == "[MASK]" and tokenizer.id_to_token(4000) is None
    assert tokenizer.id_to_token(-1) is None
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.mask_id) == (0, 1, 2)
    assert tokenizer.cls_id is tokenizer.bos_id is None
