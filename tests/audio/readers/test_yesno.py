"""YesNo, read as torchaudio reads it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import torch
from support.peers import scipy_load, torchaudio_or_skip
from support.publishers_audio import make_yesno, write_tar

from domainkit.audio.codec import decode_audio
from domainkit.audio.readers.yesno import read_yesno
from domainkit.errors import ReaderError


def test_same_samples_as_torchaudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torchaudio = torchaudio_or_skip()
    monkeypatch.setattr(torchaudio, "load", scipy_load)
    files = make_yesno(tmp_path)
    with tarfile.open(files["archive"]) as tar:
        tar.extractall(tmp_path, filter="data")
    theirs = {
        tuple(labels): (waveform, rate)
        for waveform, rate, labels in torchaudio.datasets.YESNO(tmp_path)
    }
    ours = list(read_yesno(files, "train"))
    assert len(ours) == len(theirs) == 7
    for record in ours:
        waveform, rate = theirs.pop(tuple(record["labels"]))
        decoded, decoded_rate = decode_audio(record["audio"])
        assert decoded_rate == rate == 8000
        assert torch.equal(decoded, waveform)


@pytest.mark.parametrize("name", ["0_1_1.wav", "0_1_1_0_0_1_0_2.wav", "hello.wav"])
def test_another_name_is_an_error(name: str, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [(f"waves_yesno/{name}", b"RIFF")])
    with pytest.raises(ReaderError, match=rf"waves_yesno/{name} should be called like"):
        list(read_yesno({"archive": path}, "train"))


def test_an_archive_without_recordings_is_an_error(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [("waves_yesno/README", b"")])
    with pytest.raises(ReaderError, match="found none"):
        list(read_yesno({"archive": path}, "train"))
