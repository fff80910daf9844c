"""Whatever is done to a file, it is read or refused by name: no other error, no endless work."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vector_files import fasttext_bin, fasttext_vec, glove, random_rows, word2vec_binary

from domainkit.errors import DecodeError
from domainkit.text.vectors.kinds import kind_of, read_into
from domainkit.text.vectors.source import Source
from domainkit.text.vectors.table import Maker

ROWS = random_rows(["the", "naïve", "東京", "a b"], 4)
FILES = {
    "glove": glove(ROWS),
    "vec": fasttext_vec({k: v for k, v in ROWS.items() if " " not in k}),
    "word2vec": word2vec_binary({k.encode().replace(b" ", b"_"): v for k, v in ROWS.items()}),
    "fasttext": fasttext_bin(
        [k.encode() for k in ROWS], np.ones((len(ROWS) + 5, 4), np.float32), bucket=5
    ),
}


def read(data, folder):
    source = Source(io.BytesIO(data), "file")
    maker = Maker(folder, "file")
    try:
        read_into(maker, source, kind_of(source), None)
    finally:
        maker.abandon()


@pytest.mark.parametrize("name", FILES)
def test_the_whole_file_is_read(name, tmp_path):
    read(FILES[name], tmp_path)


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
def test_a_changed_file_is_read_or_refused(name, data, tmp_path_factory):
    whole = FILES[name]
    place = data.draw(st.integers(0, len(whole) - 1))
    length = data.draw(st.integers(0, 9))
    other = data.draw(st.binary(max_size=9) | st.sampled_from([b"9" * 9, b"\n", b" ", b"\xff" * 8]))
    changed = whole[:place] + other + whole[place + length :]
    try:
        read(changed, tmp_path_factory.mktemp("t"))
    except DecodeError as error:
        assert str(error).startswith("file: ")


@pytest.mark.parametrize("name", ["vec", "word2vec", "fasttext"])
def test_a_file_that_is_cut_off_is_refused(name, tmp_path_factory):
    whole = FILES[name]
    ends = {
        "vec": whole.rindex(b" ", 0, -3),  # digits that lack at the very end cannot be seen
        "word2vec": len(whole) - 1,  # the last line break
        "fasttext": len(whole) - 17 - 4 * 4 * len(ROWS),  # the output layer is not looked at
    }
    for length in range(1, ends[name], 3):
        with pytest.raises(DecodeError):
            read(whole[:length], tmp_path_factory.mktemp("t"))
