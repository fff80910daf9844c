"""LJ Speech, read as torchaudio reads it, wherever in the archive the metadata stands."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import torch
from support.peers import scipy_load, torchaudio_or_skip
from support.publishers_audio import make_ljspeech, write_tar

from domainkit.audio.codec import decode_audio
from domainkit.audio.readers.ljspeech import read_ljspeech
from domainkit.errors import ReaderError

METADATA = "LJSpeech-1.1/metadata.csv"


@pytest.mark.parametrize("metadata_last", [False, True])
def test_same_samples_as_torchaudio(
    metadata_last: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchaudio = torchaudio_or_skip()
    monkeypatch.setattr(torchaudio, "load", scipy_load)
    files = make_ljspeech(tmp_path, metadata_last=metadata_last)
    with tarfile.open(files["archive"]) as tar:
        tar.extractall(tmp_path, filter="data")
    theirs = torchaudio.datasets.LJSPEECH(tmp_path)
    # the recordings stand in the archive the other way round than the rows of the metadata
    ours = list(read_ljspeech(files, "train"))[::-1]
    assert len(ours) == len(theirs) == 5
    for record, (waveform, rate, transcript, normalized) in zip(ours, theirs, strict=True):
        decoded, decoded_rate = decode_audio(record["audio"])
        assert decoded_rate == rate == 22050
        assert torch.equal(decoded, waveform)
        assert (record["transcript"], record["normalized_transcript"]) == (transcript, normalized)
    assert [r["id"] for r in ours][:2] == ["LJ001-0001", "LJ001-0007"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("LJSpeech-1.1/wavs/a.wav", b"")], r"expected metadata\.csv"),
        ([(METADATA, b"a|b\n")], "line 1 has 2 fields"),
        ([(METADATA, b"a|b|c\n"), ("wavs/z.wav", b"")], r"has no row for wavs/z\.wav"),
        ([(METADATA, b"a|b|c\nd|e|f\n"), ("wavs/a.wav", b"")], r"1 of the recordings.*d\.wav"),
    ],
)
def test_another_layout_is_an_error(
    members: list[tuple[str, bytes]], message: str, tmp_path: Path
) -> None:
    path = write_tar(tmp_path / "a.tar.gz", members)
    with pytest.raises(ReaderError, match=message):
        list(read_ljspeech({"archive": path}, "train"))


def test_metadata_in_another_encoding_are_named(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [(METADATA, "a|größe|größe\n".encode("latin-1"))])
    with pytest.raises(ReaderError, match=r"a\.tar\.gz: metadata\.csv is not UTF-8"):
        list(read_ljspeech({"archive": path}, "train"))
