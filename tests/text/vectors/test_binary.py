"""word2vec's and fastText's binary files, written here byte by byte; subwords by plain Python."""

from __future__ import annotations

import gzip
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.vector_files import (
    fasttext_bin,
    fasttext_ngrams,
    fasttext_vector,
    fnv1a,
    word2vec_binary,
    write,
)

from domainkit.errors import DecodeError, NotFoundError
from domainkit.text.vectors import Vectors
from domainkit.text.vectors.subwords import ngram_buckets

WORDS = ["</s>", "the", "naïve", "東京", "a", "", "where", "\U0001d4b3y"]
BUCKET = 50


# -- word2vec ------------------------------------------------------------------------------------


@pytest.mark.parametrize("line_breaks", [True, False], ids=["original", "google-news"])
@pytest.mark.parametrize("dim", [1, 3, 300])
def test_word2vec(tmp_path, fresh_home, dim, line_breaks):
    words = [*(w.encode() for w in WORDS), b"caf\xe9"]
    rows = np.random.default_rng(0).normal(size=(len(words), dim)).astype(np.float32)
    data = word2vec_binary(dict(zip(words, rows.tolist(), strict=True)), line_breaks)
    vectors = Vectors.open(write(tmp_path / "v.bin", data))
    assert (vectors.kind, vectors.dim) == ("word2vec-binary", dim)
    assert list(vectors.words) == [*WORDS, "caf\udce9"]
    assert torch.equal(vectors[list(vectors.words)], torch.from_numpy(rows))
    packed = Vectors.open(write(tmp_path / "v.bin.gz", gzip.compress(data)))
    assert packed.digest == vectors.digest


def test_numbers_that_look_like_text(tmp_path, fresh_home):
    row = np.frombuffer(b"1234 \n12", "<f4")
    data = word2vec_binary({b"a": row, b"b": row})
    vectors = Vectors.open(write(tmp_path / "v.bin", data), "word2vec-binary")
    assert vectors["b"].numpy().tobytes() == b"1234 \n12"


def damaged_word2vec():
    rows = {b"the": [1.0, 2.0], b"of": [3.0, 4.0]}
    whole = word2vec_binary(rows)
    return {
        "cut in a vector": (whole[:-4], r"word 2 of 2 \('of'\)"),
        "cut in a word": (whole[:18], "word 2 of 2"),
        "no header": (b"the 1 2\n" + whole, "first line"),
        "more": (whole + b"and \x00\x00", "more than the 2 words"),
        "nan": (word2vec_binary({**rows, b"of": [1, float("nan")]}), r"word 2 \('of'\)"),
    }


@pytest.mark.parametrize("name", damaged_word2vec())
def test_damage_of_word2vec_is_named(tmp_path, fresh_home, name):
    data, says = damaged_word2vec()[name]
    with pytest.raises(DecodeError, match=says):
        Vectors.open(write(tmp_path / "v.bin", data), "word2vec-binary")


# -- fastText ------------------------------------------------------------------------------------


def test_the_hash_of_this_test_is_fnv1a():
    # published test values of FNV-1a; letters have no sign to lose
    assert fnv1a(b"") == 0x811C9DC5 and fnv1a(b"a") == 0xE40C292C
    assert fnv1a(b"foobar") == 0xBF9CF968


@given(
    words=st.lists(st.text(st.sampled_from("abé東\U0001d4b3<>"), max_size=7), max_size=6),
    minn=st.integers(1, 4),
    more=st.integers(0, 3),
)
def test_ngrams_are_those_of_plain_python(words, minn, more):
    ids, counts = ngram_buckets([w.encode() for w in words], minn, minn + more, 1000)
    expected = [
        [fnv1a(g.encode()) % 1000 for g in fasttext_ngrams(w, minn, minn + more)] for w in words
    ]
    assert ids.tolist() == list(chain.from_iterable(expected))
    assert counts.tolist() == [len(part) for part in expected]


def model(dim=4, **other):
    matrix = np.random.default_rng(1).normal(size=(len(WORDS) + BUCKET, dim)).astype(np.float32)
    return matrix, fasttext_bin([w.encode() for w in WORDS], matrix, bucket=BUCKET, **other)


@pytest.mark.parametrize(
    ("minn", "maxn"), [(3, 6), (1, 3), (5, 5), (0, 0)], ids=["3-6", "1-3", "5", "none"]
)
def test_fasttext_vectors_are_means_of_word_and_ngrams(tmp_path, fresh_home, minn, maxn):
    matrix, data = model(minn=minn, maxn=maxn, labels=[b"__label__x"])
    vectors = Vectors.open(write(tmp_path / "v.bin", data))
    assert (vectors.kind, len(vectors), vectors.dim) == ("fasttext-binary", len(WORDS), 4)
    unseen = ["thee", "京都", "b", "wherever", "\U0001d4b3\U0001d4b3", "__label__x"]
    for word in WORDS + unseen:
        expected = fasttext_vector(word, WORDS, matrix, bucket=BUCKET, minn=minn, maxn=maxn)
        np.testing.assert_allclose(vectors[word].numpy(), expected, atol=1e-6)
        assert (word in vectors) == (word in WORDS)
    together = vectors[WORDS + unseen]
    assert torch.equal(together, torch.stack([vectors[w] for w in WORDS + unseen]))


def test_a_word_without_ngrams_is_unknown(tmp_path, fresh_home):
    _, data = model(minn=5, maxn=5)
    vectors = Vectors.open(write(tmp_path / "v.bin", data), unknown="error")
    with pytest.raises(NotFoundError, match="'b' has no vector"):
        vectors["b"]
    assert vectors["somewhere"].shape == (4,)


def test_classifiers_of_version_11_have_no_ngrams(tmp_path, fresh_home):
    matrix, data = model(version=11, model=3)
    vectors = Vectors.open(write(tmp_path / "v.bin", data))
    np.testing.assert_array_equal(vectors["the"].numpy(), matrix[1])
    assert vectors["thee"].tolist() == [0, 0, 0, 0]


def test_many_words(tmp_path, fresh_home, monkeypatch):
    monkeypatch.setattr("domainkit.text.vectors.fasttext_binary._AT_ONCE", 7)
    monkeypatch.setattr("domainkit.text.vectors.source._CHUNK", 100)
    words = [f"word{i}" for i in range(50)]
    matrix = np.random.default_rng(2).normal(size=(50 + BUCKET, 3)).astype(np.float32)
    data = fasttext_bin([w.encode() for w in words], matrix, bucket=BUCKET)
    vectors = Vectors.open(write(tmp_path / "v.bin", gzip.compress(data)))
    expected = [fasttext_vector(w, words, matrix, bucket=BUCKET, minn=3, maxn=6) for w in words]
    np.testing.assert_allclose(vectors[words].numpy(), expected, atol=1e-6)


def damaged_fasttext():
    matrix, whole = model()
    broken = matrix.copy()
    broken[1, 2] = np.nan
    words = [w.encode() for w in WORDS]
    return {
        "quantized": (model(quantized=True)[1], "quantized"),
        "pruned": (model(pruned=3)[1], "quantized"),
        "version": (model(version=13)[1], "version 13"),
        "header": (whole[:40], "within the header"),
        "dictionary": (whole[:107], "within entry 2 of 8"),
        "matrix": (whole[:260], "rows 0 to 8"),
        "buckets": (whole[:800], "input matrix"),
        "sizes": (fasttext_bin(words, matrix[:-1], bucket=BUCKET), "50 buckets"),
        "nan": (fasttext_bin(words, broken, bucket=BUCKET), "'the' has numbers"),
    }


@pytest.mark.parametrize("name", damaged_fasttext())
def test_damage_of_fasttext_is_named(tmp_path, fresh_home, name):
    data, says = damaged_fasttext()[name]
    with pytest.raises(DecodeError, match=says):
        Vectors.open(write(tmp_path / "v.bin", data))


def test_files_before_the_magic_number_are_explained(tmp_path, fresh_home):
    _, data = model(magic=1)
    with pytest.raises(DecodeError, match="793712314"):
        Vectors.open(write(tmp_path / "v.bin", data), "fasttext-binary")
