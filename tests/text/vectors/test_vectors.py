"""Looking up: policies for unknown words, batches, neighbours, CharNGram against its definition."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.vector_files import glove, random_rows, write

from domainkit.errors import NotFoundError, TransformError
from domainkit.ragged import Ragged
from domainkit.text.vectors import Vectors
from domainkit.text.vectors.words import Words
from domainkit.text.vocab import Vocab

ROWS = random_rows(["the", "cat", "The", "dog", "a b"], 6)


@pytest.fixture(params=["memory", "mapped"])
def vectors(request, tmp_path, fresh_home):
    if request.param == "memory":
        return Vectors.from_words(list(ROWS), np.array(list(ROWS.values())))
    return Vectors.open(write(tmp_path / "v.txt", glove(ROWS)))


def test_one_word_some_words_and_a_batch(vectors):
    assert vectors["cat"].tolist() == ROWS["cat"].tolist()
    assert vectors["cat"].dtype == torch.float32
    some = vectors[["dog", "cat", "dog"]]
    assert some.tolist() == [ROWS[w].tolist() for w in ("dog", "cat", "dog")]
    batch = vectors([["dog"], [], ["cat", "dog"]])
    assert isinstance(batch, Ragged) and batch.inner == (6,)
    assert batch.lengths.tolist() == [1, 0, 2]
    assert torch.equal(batch[2], vectors[["cat", "dog"]])
    assert vectors([]).values.shape == (0, 6) and vectors[[]].shape == (0, 6)


def test_what_is_given_belongs_to_the_caller(vectors):
    vectors[["cat"]].zero_()
    vectors["cat"].zero_()
    assert vectors["cat"].tolist() == ROWS["cat"].tolist()


def test_it_is_a_collection_of_words(vectors):
    assert len(vectors) == len(vectors.words) == 5 and vectors.dim == 6
    assert list(vectors.words) == vectors.words[:] == list(ROWS)
    assert vectors.words[-1] == "a b" and vectors.words[1:3] == ["cat", "The"]
    assert "cat" in vectors and "Cat" not in vectors and 3 not in vectors
    assert Vocab(vectors.words).tokens == tuple(ROWS)
    assert repr(vectors.words) == "Words(5: 'the', 'cat', 'The', 'dog', ...)"
    with pytest.raises(IndexError):
        vectors.words[5]


def test_pickled_vectors_are_the_same(vectors):
    again = pickle.loads(pickle.dumps(vectors))
    assert torch.equal(again[list(ROWS)], vectors[list(ROWS)]) and repr(again) == repr(vectors)
    if vectors.kind != "memory":
        assert len(pickle.dumps(vectors)) < 500  # the path alone


# -- unknown words -------------------------------------------------------------------------------


def test_unknown_words(vectors):
    mean = np.array(list(ROWS.values())).mean(0)
    assert vectors["bird"].tolist() == [0] * 6
    np.testing.assert_allclose(vectors.lookup("bird", unknown="mean"), mean, atol=1e-7)
    ones = vectors.lookup(["bird", "cat", "bird"], unknown=lambda zeros: zeros + 1)
    assert ones.tolist() == [[1] * 6, ROWS["cat"].tolist(), [1] * 6]
    torch.manual_seed(0)
    drawn = vectors.lookup(["x", "y", "x"], unknown=torch.Tensor.normal_)
    assert torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[1])
    with pytest.raises(NotFoundError, match="'bird' has no vector"):
        vectors.lookup(["cat", "bird"], unknown="error")
    with pytest.raises(KeyError, match=r"'DOG' .*'dog' has: lower_case_backup=True"):
        vectors.lookup("DOG", unknown="error")


def test_small_letters_as_backup(vectors):
    found = vectors.lookup(["The", "CAT", "BIRD"], lower_case_backup=True)
    assert found.tolist() == [ROWS["The"].tolist(), ROWS["cat"].tolist(), [0] * 6]


def test_the_policy_is_kept(tmp_path, fresh_home):
    vectors = Vectors.open(write(tmp_path / "v.txt", glove(ROWS)), unknown="error")
    for again in (vectors, pickle.loads(pickle.dumps(vectors))):
        with pytest.raises(NotFoundError):
            again["bird"]
        assert again.lookup("bird", unknown="zeros").tolist() == [0] * 6


# -- matrix and neighbours -----------------------------------------------------------------------


def test_matrix_is_the_weight_of_an_embedding(vectors):
    vocab = Vocab(["<pad>", "dog", "the", "bird"])
    weight = vectors.matrix(vocab)
    expected = [[0] * 6, ROWS["dog"].tolist(), ROWS["the"].tolist(), [0] * 6]
    assert weight.tolist() == expected and weight.is_contiguous()
    embed = torch.nn.Embedding.from_pretrained(weight)
    assert torch.equal(embed(vocab([["the", "dog"]]).values), vectors[["the", "dog"]])


@given(n=st.integers(1, 40), k=st.integers(1, 50), seed=st.integers(0, 99))
def test_nearest_is_a_full_sort(n, k, seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, (n, 3)).astype(np.float32)  # equals and zeros
    vectors = Vectors.from_words([f"w{i}" for i in range(n)], rows)
    query = rng.normal(size=3).astype(np.float32)
    cosine = torch.cosine_similarity(torch.from_numpy(rows), torch.from_numpy(query), dim=1)
    found = vectors.nearest(torch.from_numpy(query), k)
    assert len(found) == min(n, k)
    order = np.argsort(-cosine.numpy().round(5), kind="stable")[:k]
    np.testing.assert_allclose([c for _, c in found], cosine[order], atol=1e-5)
    for word, c in found:
        assert c == pytest.approx(cosine[int(word[1:])].item(), abs=1e-5)
    own = [word for word, _ in vectors.nearest("w0", k)]
    assert "w0" not in own and len(set(own)) == len(own) == min(k, n - 1)


def test_nearest_over_blocks(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(1000, 5))
    vectors = Vectors.from_words(list(map(str, range(1000))), rows)
    whole = vectors.nearest(rows[3], 5)
    assert whole[0][0] == "3" and whole[0][1] == pytest.approx(1)
    monkeypatch.setattr("domainkit.text.vectors.nearest._BLOCK", 7)
    assert [w for w, _ in vectors.nearest(rows[3], 5)] == [w for w, _ in whole]


# -- CharNGram -----------------------------------------------------------------------------------


def torchtext_char_ngram(rows, token):
    """The mean over the 2-, 3- and 4-grams that are there, said in another way than the code."""
    text = ["#BEGIN#", *token, "#END#"]
    names = [
        f"{j - i}gram-{''.join(text[i:j])}"
        for i in range(len(text))
        for j in range(i + 2, min(i + 4, len(text)) + 1)
    ]
    found = [rows[name].astype(np.float64) for name in names if name in rows]
    return np.mean(found, 0) if found and token != "<unk>" else np.zeros(3)


def test_char_ngrams(tmp_path, fresh_home):
    grams = ["2gram-#BEGIN#c", "2gram-ca", "3gram-cat", "4gram-#BEGIN#cat", "2gram-t#END#"]
    grams += ["3gram-été", "2gram-nk", "2gram-#BEGIN##END#"]
    rows = random_rows(grams, 3)
    vectors = Vectors.open(write(tmp_path / "charNgram.txt", glove(rows)))
    assert vectors.kind == "char-ngram" and len(vectors) == len(grams)
    for word in ["cat", "scat", "cats", "été", "dog", "", "<unk>", "c", "2gram-ca"]:
        expected = torchtext_char_ngram(rows, word)
        np.testing.assert_allclose(vectors[word].numpy(), expected, atol=1e-6)
        assert (word in vectors) == bool(expected.any())
    with pytest.raises(NotFoundError):
        vectors.lookup("dog", unknown="error")
    assert vectors.nearest("cat", 1)[0][0] in grams
    plain = Vectors.open(tmp_path / "charNgram.txt", "text")
    assert plain["2gram-ca"].tolist() == rows["2gram-ca"].tolist()


# -- words ---------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=4), unique=True, max_size=20), st.lists(st.binary(max_size=4)))
def test_words_are_found_as_in_a_dict(words, others):
    numbers = {word: i for i, word in enumerate(words)}
    asked = words + others
    assert Words.of(words).find(asked).tolist() == [numbers.get(word, -1) for word in asked]


def test_words_of_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr("xxhash.xxh3_64_intdigest", len)
    words = [b"aa", b"b", b"cc", b"dd", b"e"]
    assert Words.of(words).find([*words, b"ff", b"fff"]).tolist() == [0, 1, 2, 3, 4, -1, -1]


# -- wrong use -----------------------------------------------------------------------------------

BAD = {
    "a flat list": (lambda v: v(["cat"]), "list of lists"),
    "a str": (lambda v: v("cat"), "list of lists"),
    "numbers": (lambda v: v[[1]], "a word is a str, got int"),
    "policy": (lambda v: v.lookup("bird", unknown="ones"), "'zeros', 'error', 'mean'"),
    "policy at first": (lambda v: Vectors.from_words([], np.zeros((0, 1)), unknown="x"), "'zeros'"),
    "shape of unknown": (lambda v: v.lookup("x", unknown=lambda z: z[:1]), r"tensor \[6\]"),
    "k": (lambda v: v.nearest("cat", 0), "k of 1 or more"),
    "query": (lambda v: v.nearest(torch.zeros(2)), r"numbers \[6\], got \[2\]"),
    "rows": (lambda v: Vectors.from_words(["a"], [[1.0], [2.0]]), r"\[1, dim\], got \[2, 1\]"),
    "twice": (lambda v: Vectors.from_words(["a", "a"], [[1.0], [2.0]]), "each word once"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_use_is_explained(name):
    use, says = BAD[name]
    vectors = Vectors.from_words(list(ROWS), np.array(list(ROWS.values())))
    with pytest.raises(TransformError, match=says):
        use(vectors)
