"""Tokenize against the tokenizers library, text by text."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

import domainkit as dk
from domainkit.batch import Batch
from domainkit.cards import data_folder
from domainkit.errors import TransformError
from domainkit.text.tokenizers import train_bpe
from domainkit.text.transforms import Pad, Tokenize, Truncate
from domainkit.text.transforms.tokenize import _load_once

FILE = str(data_folder("transforms") / "text/sentiment-sentences-eval-1/tokenizer.json")
TEXTS = ["Great phone!", "", "I didn't LIKE it - at all.", "日本 ünïcödé \U0001f600", "a\tb\nc"]


@given(st.lists(st.text(), max_size=5))
def test_equals_one_by_one(texts: list[str]) -> None:
    truth = [Tokenizer.from_file(FILE).encode(text).ids for text in texts]
    out = Tokenize(FILE)(texts)
    assert [item.tolist() for item in out] == truth
    assert out.dtype == torch.int64 and out.device.type == "cpu"


def test_equals_one_by_one_on_the_embedded_set() -> None:
    texts = dk.load_dataset("text/sentiment-sentences", "test")[:300]["text"]
    library = Tokenizer.from_file(FILE)
    out = Tokenize(FILE)({"text": texts})["tokens"]
    assert [item.tolist() for item in out] == [library.encode(text).ids for text in texts]


def test_a_batch_keeps_its_text_and_other_fields() -> None:
    batch = Batch({"text": TEXTS, "label": torch.arange(5)}, ids=torch.arange(5))
    out = Tokenize(FILE)(batch)
    assert out["text"] == TEXTS and out["label"] is batch["label"] and "tokens" not in batch
    assert isinstance(out, Batch) and out.ids is batch.ids
    other = Tokenize(FILE)({"text": TEXTS, "label": torch.empty(5, device="meta")})
    assert other["tokens"].device.type == "meta"


def test_then_truncate_and_pad() -> None:
    batch = Pad(0)(Truncate(4)(Tokenize(FILE)({"text": TEXTS})))
    rows = [Tokenizer.from_file(FILE).encode(text).ids[:4] for text in TEXTS]
    assert [r[r != 0].tolist() for r in batch["tokens"]] == rows
    assert batch["attention_mask"].sum(1).tolist() == [len(row) for row in rows]


def test_leaves_out_the_files_own_truncation_and_padding(tmp_path: Path) -> None:
    library = Tokenizer.from_file(FILE)
    ids = [library.encode(text).ids for text in TEXTS]
    library.enable_truncation(2)
    library.enable_padding(length=7)
    library.save(str(tmp_path / "t.json"))
    assert [item.tolist() for item in Tokenize(str(tmp_path / "t.json"))(TEXTS)] == ids


def test_special_tokens(tmp_path: Path) -> None:
    library = Tokenizer.from_file(FILE)
    library.post_processor = TemplateProcessing(
        single="[MASK] $A [PAD]", special_tokens=[("[MASK]", 2), ("[PAD]", 0)]
    )
    path = str(tmp_path / "t.json")
    library.save(path)
    bare = Tokenizer.from_file(FILE).encode("Great phone!").ids
    assert Tokenize(path)(["Great phone!"])[0].tolist() == [2, *bare, 0]
    assert Tokenize(path, special_tokens=False)(["Great phone!"])[0].tolist() == bare


def test_pickles_as_its_path_and_hashes() -> None:
    op = Tokenize(Path(FILE))  # type: ignore[arg-type]
    op(["warm"])
    packed = pickle.dumps(op)
    assert len(packed) < 400 + len(FILE)
    again = pickle.loads(packed)
    assert again == op and hash(again) == hash(op) == hash(Tokenize(FILE))
    assert again(TEXTS).values.equal(op(TEXTS).values)


def test_the_file_is_loaded_once_and_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(train_bpe(["aa ab"] * 9, 10), encoding="utf-8")
    op = Tokenize(str(path))
    before = _load_once.cache_info().misses
    first = op(["aa ab"])
    op(["ab"])
    assert _load_once.cache_info().misses == before + 1
    path.write_text(train_bpe(["ba bb"] * 9, 9), encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert op(["aa ab"]).values.tolist() != first.values.tolist()
    assert _load_once.cache_info().misses == before + 2


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ("one text", "takes a list of str, got str"),
        (["a", 1], "got a list with int"),
        ([b"a"], "got a list with bytes"),
        (torch.zeros(2), "got Tensor"),
        ({"text": [None]}, "got a list with NoneType"),
    ],
)
def test_wrong_input(x: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        Tokenize(FILE)(x)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(
        TransformError, match=r"there is no file '.*nothing\.json', and no published"
    ):
        Tokenize(str(tmp_path / "nothing.json"))
    with pytest.raises(
        TransformError, match=r"takes the path of a tokenizer file or a name, got int"
    ):
        Tokenize(3)  # type: ignore[arg-type]
    path = tmp_path / "bad.json"
    path.write_text("{}", encoding="utf-8")
    op = Tokenize(str(path))
    with pytest.raises(TransformError, match=r"bad\.json' holds no tokenizer"):
        op(["a"])
    path.unlink()
    with pytest.raises(TransformError, match="cannot be read: No such file"):
        op(["a"])


def test_words_and_pairs_are_hugging_faces() -> None:
    """Real WordPiece vocabulary: pieces of a word share its number; pairs have two types."""
    from support.hf_models import minilm_folder

    file = minilm_folder() / "tokenizer.json"
    library = Tokenizer.from_file(str(file))
    library.no_padding()
    library.no_truncation()
    first, second = ["Unbelievably good!", "", "ok"], ["embeddings, really", "x y", ""]
    op = Tokenize(str(file), pair="other", type_ids=True, word_ids=True)
    batch = op({"text": first, "other": second})
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        encoding = library.encode(a, b)
        assert batch["tokens"][i].tolist() == encoding.ids
        assert batch["token_type_ids"][i].tolist() == encoding.type_ids
        words = batch["word_ids"][i].tolist()
        ours: dict[int, set[tuple[int, int]]] = {}
        both = zip(words, encoding.word_ids, encoding.sequence_ids, strict=True)
        for mine, theirs, sequence in both:
            assert (mine == -1) == (theirs is None)
            if theirs is not None:
                ours.setdefault(mine, set()).add((sequence, theirs))
        assert sorted(ours) == list(range(len(ours)))  # counted on through both texts
        assert all(len(found) == 1 for found in ours.values())
    assert Tokenize(str(file), max_length=4)(["one two three four"])[0].shape == (4,)
    with pytest.raises(TransformError, match="needs the field 'other' for the second texts"):
        op({"text": first})
    with pytest.raises(TransformError, match="max_length of 1 or more, got 0"):
        Tokenize(str(file), max_length=0)


def test_a_folder_whose_files_change_is_read_again(tmp_path: Path) -> None:
    for k, words in enumerate((["aa ab"] * 9, ["ba bb"] * 9)):
        (tmp_path / "tokenizer.json").write_text(train_bpe(words, 10), encoding="utf-8")
        os.utime(tmp_path / "tokenizer.json", ns=(k, k))
        library = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        assert Tokenize(str(tmp_path))(["aa bb"])[0].tolist() == library.encode("aa bb").ids


def test_only_the_publishers_own_names_are_known() -> None:
    for name in ("bert-base-uncased", "google-bert/bert-base-uncased"):
        assert Tokenize(name).tokenizer == name
    for name in ("/missing/folder/gpt2", "somebody/bert-base-uncased", "missing/gpt2.json"):
        with pytest.raises(TransformError, match=r"there is no file .*, and no published"):
            Tokenize(name)
    with pytest.raises(TransformError, match=r"needs a batch with both texts, got a list"):
        Tokenize(FILE, pair="other")(["a"])
    with pytest.raises(TransformError, match=r"max_length of 1 or more, got 4\.5"):
        Tokenize(FILE, max_length=4.5)  # type: ignore[arg-type]
