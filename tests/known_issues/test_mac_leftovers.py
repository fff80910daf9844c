"""A zip made on a Mac has ``._name`` and ``__MACOSX/`` beside its files: no reader takes these."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from domainkit.archive import walk
from domainkit.audio.readers.labelled_folder import read_labelled_folder
from domainkit.audio.readers.ljspeech import read_ljspeech
from domainkit.audio.readers.yesno import read_yesno
from domainkit.text.readers.text_folder import read_text_folder
from domainkit.vision.readers.image_folder import read_image_folder

LABELS = ["no", "yes"]
READERS: dict[str, tuple[Any, dict[str, Any], dict[str, bytes]]] = {
    "labelled_folder": (
        read_labelled_folder,
        {},
        {"set/yes/1.wav": b"RIFF", "set/no/2.wav": b"RIFF"},
    ),
    "yesno": (read_yesno, {}, {"waves_yesno/0_1_1_0_0_1_0_1.wav": b"RIFF"}),
    "ljspeech": (
        read_ljspeech,
        {},
        {"LJ/wavs/a.wav": b"RIFF", "LJ/metadata.csv": b"a|One|one\n"},
    ),
    "text_folder": (
        read_text_folder,
        {"folder": "set", "labels": LABELS},
        {"set/yes/1.txt": b"Fine.", "set/no/2.txt": b"Bad."},
    ),
    "image_folder": (read_image_folder, {}, {"yes/1.jpg": b"1", "no/2.jpg": b"2"}),
}


def packed(folder: Path, members: dict[str, bytes], mac: bool) -> dict[str, Path]:
    """As macOS packs it; a tar made there has the ``._name`` beside the file itself."""
    path = folder / f"{mac}.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
            if mac:
                place, _, base = name.rpartition("/")
                file.writestr(f"__MACOSX/{place}/._{base}", b"\0\x05\x16\x07\0\xff")
                file.writestr(f"{place}/._{base}", b"\0\x05\x16\x07\0\xff")
    return {"archive": path}


@pytest.mark.parametrize("name", READERS)
def test_they_are_no_rows(name: str, tmp_path: Path) -> None:
    reader, args, members = READERS[name]
    plain = list(reader(packed(tmp_path, members, False), "train", **args))
    assert plain
    assert list(reader(packed(tmp_path, members, True), "train", **args)) == plain


def test_what_is_called_alike_is_none() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in ("a/._b", "__MACOSX/c", "a/.b", "a._b", "MACOSX/c", "x/__MACOSX.txt"):
            file.writestr(name, b"")
    buffer.seek(0)
    found = {member.name for member in walk(buffer) if member.leftover}
    assert found == {"a/._b", "__MACOSX/c"}
