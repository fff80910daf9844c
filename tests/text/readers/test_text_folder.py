"""The text-folder reader against Python's tarfile, and on archives that are wrong."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.publishers_text import IMDB, make_imdb

from domainkit.cards import load_card
from domainkit.errors import ArchiveError, ReaderError
from domainkit.prepare import find_reader
from domainkit.text.readers.text_folder import read_text_folder


def packed(tmp_path: Path, members: dict[str, bytes]) -> dict[str, Path]:
    path = tmp_path / "texts.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return {"archive": path}


@pytest.mark.parametrize(("split", "count"), [("train", 4), ("test", 3)])
def test_imdb_equals_tarfile(tmp_path: Path, split: str, count: int) -> None:
    made = make_imdb(tmp_path)
    truth = []
    with tarfile.open(made["archive"]) as tar:
        for info in tar:
            place = Path(info.name)
            if info.isfile() and place.parent.name in ("neg", "pos"):
                if place.parent.parent.name != split:
                    continue
                file = tar.extractfile(info)
                assert file is not None
                truth.append(
                    {
                        "text": file.read().decode(),
                        "label": place.parent.name,
                        "file": place.name,
                    }
                )
    card = load_card("text/imdb")
    spec = card.splits[split]
    rows = list(find_reader(card, spec)(made, split, **spec.args))
    assert rows == truth and len(rows) == count
    # a file's name ends with the stars it gave: up to 4 is negative, 7 and more positive
    stars = [int(Path(row["file"]).stem.split("_")[1]) for row in rows]
    assert [n >= 7 for n in stars] == [row["label"] == "pos" for row in rows]
    assert set(rows[0]) == set(card.features)


def test_folders_beside_the_labels_are_passed_over(tmp_path: Path) -> None:
    args: dict[str, Any] = {"folder": "aclImdb/train", "labels": ["neg", "pos"]}
    rows = list(read_text_folder(packed(tmp_path, IMDB), "train", **args))
    assert len(rows) == 4 and {row["label"] for row in rows} == {"neg", "pos"}
    assert all(set(row) == {"text", "label", "file"} for row in rows)


def test_deeper_files_and_other_endings_are_passed_over(tmp_path: Path) -> None:
    members = {"pos/a.txt": b"yes", "pos/deep/b.txt": b"no", "pos/a.md": b"no", "xpos/c.txt": b"no"}
    rows = list(read_text_folder(packed(tmp_path, members), "x", folder="", labels=["pos"]))
    assert rows == [{"text": "yes", "label": "pos", "file": "a.txt"}]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"r/pos/1_2.txt": b"a"}, r"no \.txt file in r/neg$"),
        ({}, r"texts\.zip: there is no \.txt file in r/neg nor in r/pos"),
        ({"r/neg/1_2.txt": b"\xff\xfe"}, r"r/neg/1_2\.txt is not UTF-8"),
    ],
)
def test_wrong_archives(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    args: dict[str, Any] = {"folder": "r", "labels": ["neg", "pos"]}
    with pytest.raises(ReaderError, match=message):
        list(read_text_folder(packed(tmp_path, members), "train", **args))


def test_a_cut_off_archive_is_an_archive_error(tmp_path: Path) -> None:
    path = make_imdb(tmp_path)["archive"]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ArchiveError):
        list(read_text_folder({"archive": path}, "train", folder="aclImdb/train", labels=["neg"]))
