"""Vocab against Counter and sort, its files against any token, its numbers against plain dicts."""

from __future__ import annotations

import pickle
from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from domainkit.errors import DecodeError, NotFoundError, TransformError
from domainkit.ragged import Ragged
from domainkit.text.vocab import Vocab

TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "<unk>", "é", ""]), max_size=9))
ANY = st.text(st.characters(exclude_categories=()), max_size=4)  # surrogates too


@given(
    texts=TEXTS,
    min_freq=st.integers(1, 3),
    size=st.none() | st.integers(2, 8),
    first=st.booleans(),
)
def test_from_iterator_is_counter_and_sort(texts, min_freq, size, first):
    specials = ["<unk>", "<pad>"]
    counts = Counter(chain.from_iterable(texts))
    order = sorted(counts, key=lambda token: (-counts[token], token))
    words = [t for t in order if counts[t] >= min_freq and t not in specials]
    words = words if size is None else words[: size - len(specials)]
    expected = specials + words if first else words + specials
    vocab = Vocab.from_iterator(
        iter(texts), min_freq=min_freq, max_size=size, specials=specials, special_first=first
    )
    assert list(vocab) == list(vocab.tokens) == vocab.get_itos() == expected
    assert vocab == Vocab.from_counts(
        counts, min_freq=min_freq, max_size=size, specials=specials, special_first=first
    )
    assert vocab.get_stoi() == dict(vocab.indices) == {t: i for i, t in enumerate(expected)}


@given(texts=TEXTS)
def test_a_batch_goes_to_numbers_and_back(texts):
    vocab = Vocab.from_iterator(texts)
    ids = vocab(texts)
    assert isinstance(ids, Ragged) and ids.dtype == torch.int64
    assert [item.tolist() for item in ids] == [vocab.lookup_indices(text) for text in texts]
    assert vocab.lookup_tokens(ids) == texts
    assert vocab.lookup_tokens([item.tolist() for item in ids]) == texts


@given(tokens=st.lists(ANY, unique=True, max_size=12), data=st.data())
def test_any_token_survives_the_file(tokens, data, tmp_path_factory):
    default = data.draw(st.sampled_from([None, *range(len(tokens))]))
    vocab = Vocab(tokens, default)
    path = tmp_path_factory.mktemp("v") / "vocab.json"
    vocab.save(path)
    assert Vocab.load(path) == vocab == pickle.loads(pickle.dumps(vocab))
    assert [p.name for p in path.parent.iterdir()] == ["vocab.json"]


def test_the_file_has_one_token_a_line(tmp_path):
    Vocab(["<unk>", "naïve", "a\nb"], 0).save(tmp_path / "v.json")
    assert (tmp_path / "v.json").read_text(encoding="utf-8").splitlines()[1:] == [
        '["<unk>",',
        '"naïve",',
        '"a\\nb"]}',
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the\nof\n",
        "[]",
        '{"format": "other"}',
        '{"format": "domainkit-vocab-1", "size": 2, "tokens": ["a"]}',
        '{"format": "domainkit-vocab-1", "size": 2, "tokens": ["a", "a"]}',
        '{"format": "domainkit-vocab-1", "size": 1, "tokens": [1]}',
        '{"format": "domainkit-vocab-1", "size": 1, "tokens": ["a"], "default_index": "x"}',
        '{"format": "domainkit-vocab-1", "size": 1, "tokens": ["a"], "default_index": 1}',
    ],
    ids=["empty", "lines", "list", "format", "short", "twice", "number", "default", "beyond"],
)
def test_other_files_are_refused_by_name(tmp_path, text):
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(DecodeError, match=r"v\.json"):
        Vocab.load(tmp_path / "v.json")


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "v.json"
    Vocab(["a"]).save(path)
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        Vocab(["b"]).save(path)
    assert list(Vocab.load(path)) == ["a"]
    assert list(tmp_path.iterdir()) == [path]


def test_lines(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("[PAD]\nthe\n \nü".encode())
    assert list(Vocab.from_lines(path, default_index=0)) == ["[PAD]", "the", " ", "ü"]
    path.write_bytes(b"a\r\nb\r\n")
    assert list(Vocab.from_lines(path)) == ["a", "b"]
    for data in (b"\xff\n", b"a\na\n"):
        path.write_bytes(data)
        with pytest.raises(DecodeError, match=r"vocab\.txt"):
            Vocab.from_lines(path)


# -- unknown tokens ----------------------------------------------------------------------------


def test_an_unknown_token_is_named():
    vocab = Vocab(["the", "cat"])
    for ask in (
        lambda: vocab["teh"],
        lambda: vocab.lookup_indices(["the", "teh"]),
        lambda: vocab([["the"], ["teh"]]),
    ):
        with pytest.raises(NotFoundError, match=r"'teh'.*Did you mean 'the'"):
            ask()
    assert issubclass(NotFoundError, KeyError)


def test_a_default_index_stands_for_unknown_tokens():
    vocab = Vocab(["<unk>", "a"]).with_default_index(0)
    assert vocab["b"] == 0 and "b" not in vocab and "a" in vocab
    assert vocab([["a", "b"]]).values.tolist() == [1, 0]
    assert vocab.default_index == vocab.get_default_index() == 0
    assert vocab.with_default_index(None).default_index is None
    assert vocab != Vocab(["<unk>", "a"]) and hash(vocab) != hash(Vocab(["<unk>", "a"]))


@given(
    n=st.integers(0, 5), place=st.none() | st.integers(0, 5), default=st.none() | st.integers(0, 4)
)
def test_with_token_is_list_insert(n, place, default):
    tokens = [f"t{i}" for i in range(n)]
    default = default if default is not None and default < n else None
    if place is not None and place > n:
        with pytest.raises(TransformError, match="index"):
            Vocab(tokens).with_token("new", place)
        return
    old = Vocab(tokens, default)
    new = old.with_token("new", place)
    tokens.insert(n if place is None else place, "new")
    assert list(new) == tokens and len(old) == n
    if default is not None:
        assert new.lookup_token(new.default_index) == old.lookup_token(default)


# -- wrong use -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Vocab("the"), "one str"),
        (lambda: Vocab(["a", 1]), "token 1 is int"),
        (lambda: Vocab(["a", "b", "a"]), "'a' comes 2 times"),
        (lambda: Vocab(["a"], 1), "default_index"),
        (lambda: Vocab(["a"], -1), "default_index"),
        (lambda: Vocab(["a"]).with_token("a"), "'a' comes 2 times"),
        (lambda: Vocab.from_iterator(["the cat"]), "lists of tokens"),
        (lambda: Vocab.from_iterator([], min_freq=0), "min_freq"),
        (lambda: Vocab.from_iterator([], max_size=1, specials=["a", "b"]), "max_size"),
        (lambda: Vocab(["a"])(["a"]), "lookup_indices"),
        (lambda: Vocab(["a"])("a"), "lookup_indices"),
        (lambda: Vocab(["a"]).lookup_indices("a"), "list of tokens"),
        (lambda: Vocab(["a"]).lookup_tokens(0), "list of numbers"),
        (lambda: Vocab(["a"]).lookup_tokens(torch.zeros(2)), "whole numbers"),
        (lambda: Vocab(["a"])[0], "is a str"),
        (lambda: Vocab(["a"])([[0]]), "is a str"),
    ],
    ids=lambda x: x.replace(" ", "-") if isinstance(x, str) else "",
)
def test_wrong_use_is_explained(make, says):
    with pytest.raises(TransformError, match=says):
        make()


@pytest.mark.parametrize("ids", [[2], [-1], torch.tensor([5])], ids=["end", "below", "tensor"])
def test_a_number_without_a_token_is_named(ids):
    with pytest.raises(NotFoundError, match="from 0 to 1"):
        Vocab(["a", "b"]).lookup_tokens(ids)


def test_lookup_tokens_takes_all_forms():
    vocab = Vocab(["a", "b"])
    assert vocab.lookup_tokens([0, np.int64(1)]) == ["a", "b"]
    assert vocab.lookup_tokens(torch.tensor([1, 0])) == ["b", "a"]
    assert vocab.lookup_tokens(torch.tensor([[1, 0]])) == [["b", "a"]]
    assert vocab.lookup_tokens([torch.tensor([1]), []]) == [["b"], []]


def test_repr_is_short():
    assert repr(Vocab([])) == "Vocab(0 tokens: )"
    assert repr(Vocab(map(str, range(9)), 1)) == (
        "Vocab(9 tokens: '0', '1', '2', '3', ..., unknown: '1')"
    )
