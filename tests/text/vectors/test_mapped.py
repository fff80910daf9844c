"""The mapped form: made once, opened without reading, never seen half-made, made anew when due."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.vector_files import glove, random_rows, write

from domainkit.errors import DecodeError
from domainkit.text.vectors import Vectors
from domainkit.text.vectors import mapped as mapped_module

ROWS = random_rows([f"w{i}" for i in range(100)], 8)


@pytest.fixture
def path(tmp_path, fresh_home):
    return write(tmp_path / "v.txt", glove(ROWS))


@pytest.fixture
def conversions(monkeypatch):
    """The files that were converted, in order."""
    seen, convert = [], mapped_module._convert
    monkeypatch.setattr(
        mapped_module, "_convert", lambda *a: (seen.append(a[2].name), convert(*a))[1]
    )
    return seen


def folders(home):
    return sorted(p for p in (home / "vectors").iterdir() if p.name != "known")


def test_the_second_open_reads_nothing(path, fresh_home, conversions):
    first = Vectors.open(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert first.digest == f"sha256:{digest}"
    assert [f.name for f in folders(fresh_home)] == [f"{digest}-text"]
    again = Vectors.open(path)
    assert conversions == ["v.txt"]
    assert isinstance(again._table.rows, np.memmap) and not again._table.rows.flags.writeable
    assert again["w7"].tolist() == ROWS["w7"].tolist()
    whole = np.load(folders(fresh_home)[0] / "vectors.npy")  # a plain file of numpy
    assert whole.dtype == np.float32 and whole.tolist() == [r.tolist() for r in ROWS.values()]


def test_the_same_content_is_kept_once(path, fresh_home, tmp_path):
    Vectors.open(path)
    Vectors.open(write(tmp_path / "copy.txt", path.read_bytes()))
    assert len(folders(fresh_home)) == 1


def test_a_changed_file_is_converted_again(path, conversions):
    Vectors.open(path)
    other = random_rows(list(ROWS), 8, seed=1)
    write(path, glove(other))
    os.utime(path, ns=(1, 1))  # whatever the clock's steps are
    assert Vectors.open(path)["w7"].tolist() == other["w7"].tolist()
    assert conversions == ["v.txt", "v.txt"]


def test_a_damaged_conversion_is_made_anew(path, fresh_home, conversions):
    Vectors.open(path)
    (folder,) = folders(fresh_home)
    for name, change in {
        "vectors.npy": lambda f: f.write_bytes(f.read_bytes()[:-4]),
        "words.bin": lambda f: f.unlink(),
        "facts.json": lambda f: f.write_text("{"),
    }.items():
        change(folder / name)
        assert Vectors.open(path)["w99"].tolist() == ROWS["w99"].tolist()
    assert len(conversions) == 4 and folders(fresh_home) == [folder]


def test_a_conversion_that_fails_leaves_nothing(path, fresh_home, monkeypatch):
    def full(*unused):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("domainkit.text.vectors.table.Words.of", full)
    with pytest.raises(OSError, match="No space"):
        Vectors.open(path)
    assert folders(fresh_home) == []


def test_what_a_killed_conversion_left_is_removed_a_day_later(path, fresh_home):
    room = fresh_home / "vectors"
    for name, age in {".old.new": 2e5, ".young.new": 10}.items():
        (room / name).mkdir(parents=True)
        write(room / name / "vectors.npy", b"")
        for left in (room / name / "vectors.npy", room / name):
            os.utime(left, (time.time() - age,) * 2)
    Vectors.open(path)
    assert not (room / ".old.new").exists() and (room / ".young.new").exists()


def test_of_several_at_once_one_converts(path, conversions):
    with ThreadPoolExecutor(4) as pool:  # the cache's lock holds off threads as it does processes
        opened = list(pool.map(Vectors.open, [path] * 8))
    assert conversions == ["v.txt"]
    assert all(v["w7"].tolist() == ROWS["w7"].tolist() for v in opened)


def test_the_kind_is_part_of_the_name(path, fresh_home):
    Vectors.open(path)
    Vectors.open(path, "char-ngram")
    assert [f.name.split("-", 1)[1] for f in folders(fresh_home)] == ["char-ngram", "text"]
    with pytest.raises(DecodeError):
        Vectors.open(path, "fasttext-binary")
