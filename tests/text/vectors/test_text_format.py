"""Vectors as text against ``float`` and ``str.split``; damage is named by line and word."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pytest
import torch
from support.vector_files import fasttext_vec, glove, random_rows, write

from domainkit.errors import ArchiveError, DecodeError, NotFoundError, TransformError
from domainkit.text.vectors import Vectors

pytestmark = pytest.mark.usefixtures("fresh_home")
WORDS = ["the", ",", "naïve", "東京", "\u00a0", "1", "it's", "a\u2028b"]


def check(vectors, rows):
    assert list(vectors.words) == list(rows) and len(vectors) == len(rows)
    assert torch.equal(vectors[list(rows)], torch.from_numpy(np.array(list(rows.values()))))
    for word, row in rows.items():
        assert word in vectors and vectors[word].tolist() == row.tolist()


@pytest.mark.parametrize("dim", [1, 2, 50])
@pytest.mark.parametrize("layout", [glove, fasttext_vec], ids=["glove", "vec"])
def test_the_publishers_layouts(tmp_path, layout, dim):
    rows = random_rows(WORDS, dim)
    vectors = Vectors.open(write(tmp_path / "v.txt", layout(rows)))
    assert (vectors.kind, vectors.dim) == ("text", dim)
    check(vectors, rows)


def test_more_than_one_block(tmp_path, monkeypatch):
    monkeypatch.setattr("domainkit.text.vectors.source._CHUNK", 777)
    rows = random_rows([f"w{i}" for i in range(1000)], 7)
    check(Vectors.open(write(tmp_path / "a", glove(rows))), rows)
    check(Vectors.open(write(tmp_path / "b", fasttext_vec(rows))), rows)


def test_words_with_spaces_are_cut_from_the_right(tmp_path):
    # as glove.840B has ". . ." and "at name@domain.com"
    rows = random_rows(["the", ". . .", "at name@domain.com", "1 2", "."], 6)
    check(Vectors.open(write(tmp_path / "v.txt", glove(rows))), rows)
    odd_first = random_rows([". . .", "the"], 6)
    path = write(tmp_path / "w.txt", glove(odd_first))
    check(Vectors.open(path, dim=6), odd_first)
    with pytest.raises(DecodeError, match=r"line 2 .*dim="):
        Vectors.open(path)


def test_other_spaces_and_line_ends(tmp_path):
    text = b"a\t1\t2\r\nb  +3 4e0 \r\n 5 6\nc .5 -5.\n"
    vectors = Vectors.open(write(tmp_path / "v.txt", text))
    assert list(vectors.words) == ["a", "b", "", "c"]
    assert vectors[["a", "b", "", "c"]].tolist() == [[1, 2], [3, 4], [5, 6], [0.5, -5]]


def test_the_last_line_may_lack_its_end(tmp_path):
    assert Vectors.open(write(tmp_path / "v.txt", b"a 1 2\nb 3 4"))["b"].tolist() == [3, 4]


def test_of_a_word_twice_the_first_counts(tmp_path):
    vectors = Vectors.open(write(tmp_path / "v.txt", b"a 1 2\nb 3 4\na 5 6\n"))
    assert list(vectors.words) == ["a", "b"] and vectors["a"].tolist() == [1, 2]


def test_bytes_that_are_no_utf8_stay_apart(tmp_path):
    vectors = Vectors.open(write(tmp_path / "v.txt", b"caf\xe9 1\ncaf\xc3\xa9 2\n\xff 3\n"))
    assert vectors[["caf\udce9", "café", "\udcff"]].tolist() == [[1], [2], [3]]
    assert "\ud800" not in vectors


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress], ids=lambda f: f.__module__
)
def test_packed_files(tmp_path, pack):
    rows = random_rows(WORDS, 5)
    check(Vectors.open(write(tmp_path / "v", pack(fasttext_vec(rows)))), rows)


def test_archives(tmp_path):
    rows = {d: random_rows(WORDS, d) for d in (2, 3)}
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as file:
        for d, part in rows.items():
            file.writestr(f"folder/glove.{d}d.txt", glove(part))
    check(Vectors.open(tmp_path / "v.zip", member="glove.2d.txt"), rows[2])
    check(Vectors.open(tmp_path / "v.zip", member="folder/glove.3d.txt"), rows[3])
    with pytest.raises(TransformError, match=r"2 files.*member=.*glove\.2d"):
        Vectors.open(tmp_path / "v.zip")
    with pytest.raises(NotFoundError, match=r"Did you mean 'folder/glove\.[23]d\.txt'"):
        Vectors.open(tmp_path / "v.zip", member="folder/glove.9d.txt")
    with zipfile.ZipFile(tmp_path / "one.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("v.vec", fasttext_vec(rows[3]))
    check(Vectors.open(tmp_path / "one.zip"), rows[3])


DAMAGED = {
    "empty": (b"", "no vectors|no word"),
    "header alone": (b"3 2\n", "promises 3"),
    "a word alone": (b"word\n", "line 1"),
    "a number too few": (b"a 1 2\nb 3\n", r"line 2 \(word 'b'\) should have 2 numbers"),
    "a number cut": (b"a 1 2\nb 3 x4\n", r"line 2 \(word 'b'\) .*'3 x4'"),
    "not finite": (b"a 1 2\nb 3 nan\n", r"line 2 \(word 'b'\) .* finite"),
    "infinite": (b"2 2\na 1 2\nb 3 1e99\n", r"line 3 \(word 'b'\)"),
    "an underscore": (b"a 1 2\nb 3 1_0\n", r"line 2 \(word 'b'\)"),
    "cut off": (b"3 2\na 1 2\nb 3 4\n", "promises 3 words, 2 came: the file is cut off"),
    "too many": (b"1 2\na 1 2\nb 3 4\n", "promises 1 words, 2 came"),
    "an empty line": (b"a 1 2\n\nb 3 4\n", "line 2"),
    "zeros": (b"\x00" * 64, "neither text nor"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named(tmp_path, fresh_home, name):
    data, says = DAMAGED[name]
    path = write(tmp_path / "damaged.txt", data)
    with pytest.raises(DecodeError, match=says) as caught:
        Vectors.open(path)
    assert "damaged.txt" in str(caught.value)
    assert [p.name for p in (fresh_home / "vectors").iterdir()] == ["known"]  # nothing half-made


def test_a_damaged_packing_is_an_archive_error(tmp_path):
    packed = gzip.compress(glove(random_rows(WORDS, 50)))
    with pytest.raises(ArchiveError):
        Vectors.open(write(tmp_path / "v.gz", packed[:-20]))


def test_wrong_arguments(tmp_path):
    path = write(tmp_path / "v.txt", b"2 2\na 1 2\nb 3 4\n")
    with pytest.raises(TransformError, match="Did you mean 'text'"):
        Vectors.open(path, "txt")
    with pytest.raises(TransformError, match="dim of 1 or more"):
        Vectors.open(path, dim=0)
    with pytest.raises(TransformError, match="has dim 2, not 3"):
        Vectors.open(path, dim=3)
    with pytest.raises(NotFoundError, match="cannot be read"):
        Vectors.open(tmp_path / "none.txt")
    with pytest.raises(NotFoundError, match="cannot be read"):
        Vectors.open(tmp_path)
