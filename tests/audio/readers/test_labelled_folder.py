"""Speech Commands, read as torchaudio reads it; and archives that are laid out otherwise."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from support.peers import scipy_load, torchaudio_or_skip
from support.publishers_audio import make_speech_commands, wav_bytes, write_tar

from domainkit.audio.codec import decode_audio
from domainkit.audio.readers.labelled_folder import read_labelled_folder
from domainkit.cards import load_card
from domainkit.errors import ReaderError

SUBSETS = {"train": "training", "validation": "validation", "test": "testing"}


def read(files: dict[str, Path], split: str) -> list[dict[str, Any]]:
    return list(
        read_labelled_folder(files, split, **load_card("audio/speech-commands").splits[split].args)
    )


@pytest.mark.parametrize("split", SUBSETS)
@pytest.mark.parametrize("lists_last", [True, False])
def test_same_samples_as_torchaudio(
    split: str, lists_last: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchaudio = torchaudio_or_skip()
    monkeypatch.setattr(torchaudio, "load", scipy_load)
    files = make_speech_commands(tmp_path, lists_last=lists_last)
    with tarfile.open(files["archive"]) as tar:
        tar.extractall(tmp_path / "SpeechCommands" / "speech_commands_v0.02", filter="data")
    theirs = {
        (label, speaker, utterance): (waveform, rate)
        for waveform, rate, label, speaker, utterance in torchaudio.datasets.SPEECHCOMMANDS(
            tmp_path, subset=SUBSETS[split]
        )
    }
    ours = read(files, split)
    assert {"train": 9, "validation": 3, "test": 4}[split] == len(ours) == len(theirs)
    for record in ours:
        waveform, rate = theirs.pop((record["label"], record["speaker"], record["utterance"]))
        decoded, decoded_rate = decode_audio(record["audio"])
        assert decoded_rate == rate
        assert torch.equal(decoded, waveform)


def test_the_splits_share_nothing_and_leave_the_noise_out(tmp_path: Path) -> None:
    files = make_speech_commands(tmp_path)
    keys = [
        (r["label"], r["speaker"], r["utterance"]) for split in SUBSETS for r in read(files, split)
    ]
    assert len(keys) == len(set(keys)) == 16
    assert {label for label, *_ in keys} == {"backward", "bed", "no", "up", "yes", "zero"}


def test_a_plain_folder_per_label_needs_no_lists(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [("set/cat/1.wav", b"1"), ("set/dog/1.wav", b"2")])
    records = list(read_labelled_folder({"archive": path}, "train"))
    assert records == [{"audio": b"1", "label": "cat"}, {"audio": b"2", "label": "dog"}]


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [("yes/a_nohash_0.wav", wav_bytes(0, 10, 16000))])
    with pytest.raises(ReaderError, match=r"expected validation_list\.txt, testing_list\.txt"):
        read({"archive": path}, "train")


def test_a_listed_recording_that_is_missing_is_an_error(tmp_path: Path) -> None:
    members = [("validation_list.txt", b"yes/a_nohash_0.wav\nyes/b_nohash_0.wav\n")]
    members.append(("yes/a_nohash_0.wav", b"RIFF"))
    path = write_tar(tmp_path / "a.tar.gz", members)
    with pytest.raises(ReaderError, match=r"the 2 recordings of validation_list\.txt.*found 1"):
        read({"archive": path}, "validation")


def test_a_name_without_a_speaker_is_an_error(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [("yes/hello.wav", b"RIFF")])
    with pytest.raises(ReaderError, match=r"yes/hello\.wav should be called <speaker>_nohash_"):
        list(read_labelled_folder({"archive": path}, "train", divider="_nohash_"))


def test_an_archive_without_recordings_is_an_error(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [("README", b"nothing here")])
    with pytest.raises(ReaderError, match=r"expected recordings .* found 0"):
        list(read_labelled_folder({"archive": path}, "train"))


def test_a_list_in_another_encoding_is_named(tmp_path: Path) -> None:
    members = [("list.txt", "yes/größe.wav".encode("latin-1")), ("yes/a.wav", b"RIFF")]
    path = write_tar(tmp_path / "a.tar.gz", members)
    with pytest.raises(ReaderError, match=r"a\.tar\.gz: list\.txt is not UTF-8"):
        list(read_labelled_folder({"archive": path}, "test", listed_in="list.txt"))
