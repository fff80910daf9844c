"""A CSV manifest beside an archive: quoting, columns, splits, and what may be wrong with them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from support.publishers_audio import write_tar

from domainkit.audio.readers.manifest import read_manifest
from domainkit.errors import ReaderError

TEXT = (
    'file,label,split,text\na.wav,x,train,"one, two"\nb.wav,y,test,"say ""hi"""\nc.wav,y,train,\n'
)


def files(folder: Path, text: str = TEXT, names: str = "cba") -> dict[str, Path]:
    manifest = folder / "m.csv"
    manifest.write_text(text, encoding="utf-8")
    members = [(f"{name}.wav", name.encode()) for name in names]
    return {"manifest": manifest, "recordings": write_tar(folder / "r.tar.gz", members)}


def test_rows_of_the_split_in_archive_order(tmp_path: Path) -> None:
    records = list(read_manifest(files(tmp_path), "train", columns=["label", "text"]))
    assert records == [
        {"audio": b"c", "label": "y", "text": ""},
        {"audio": b"a", "label": "x", "text": "one, two"},
    ]
    assert list(read_manifest(files(tmp_path), "test", columns=["text"])) == [
        {"audio": b"b", "text": 'say "hi"'}
    ]


def test_without_a_split_column_every_row_is_taken(tmp_path: Path) -> None:
    records = list(read_manifest(files(tmp_path), "all", columns=["file"], split_column=""))
    assert [r["file"] for r in records] == ["c.wav", "b.wav", "a.wav"]


def test_a_compressed_manifest_with_a_byte_order_mark(tmp_path: Path) -> None:
    paths = files(tmp_path)
    paths["manifest"].write_bytes(gzip.compress(b"\xef\xbb\xbf" + TEXT.encode()))
    assert len(list(read_manifest(paths, "train", columns=["label"]))) == 2


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        (
            "file,split\na.wav,train\n",
            "a",
            "expected a column 'label', its columns are file, split",
        ),
        ("", "a", "its columns are none"),
        ("file,label,split\na.wav,x,test\n", "a", "no row has split = 'train'"),
        (
            "file,label,split\na.wav,x,train\na.wav,y,train\n",
            "a",
            r"line 3: 'a\.wav' stands .* twice",
        ),
        ("file,label,split\na.wav,x,train,more\n", "a", "line 2: expected 3 fields"),
        ("file,label,split\na.wav,x\n", "a", "line 2: expected 3 fields"),
        ("file,label,split\na.wav,x,train\nb.wav,x,train\n", "a", r"1 of the recordings.*'b\.wav'"),
    ],
)
def test_what_may_be_wrong(text: str, names: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=message):
        list(read_manifest(files(tmp_path, text, names), "train", columns=["label"]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("file,label,split\na.wav,größe,train\n".encode("latin-1"), r"m\.csv is not UTF-8"),
        (b"file,label,split\na.wav," + b"x" * 200_000 + b",train\n", r"m\.csv is no CSV .*limit"),
    ],
)
def test_what_is_no_table_is_named(data: bytes, message: str, tmp_path: Path) -> None:
    paths = files(tmp_path)
    paths["manifest"].write_bytes(data)
    with pytest.raises(ReaderError, match=message):
        list(read_manifest(paths, "train", columns=["label"]))
