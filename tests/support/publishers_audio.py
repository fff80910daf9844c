"""Small archives in the exact layout of the publishers of the audio sets.

Each maker returns the files of the card by key. The sound is noise; what matters is names, lists
and places.
"""

from __future__ import annotations

import io
import tarfile
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np

__all__ = ["make_ljspeech", "make_speech_commands", "make_yesno", "wav_bytes", "write_tar"]


def wav_bytes(seed: int, samples: int, rate: int) -> bytes:
    """A mono 16-bit WAV file of noise, by Python's own writer."""
    sound = np.random.default_rng(seed).integers(-32768, 32768, samples, dtype=np.int16)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(sound.astype("<i2").tobytes())
    return out.getvalue()


def write_tar(
    path: Path, members: Iterable[tuple[str, bytes]], folders: Iterable[str] = ()
) -> Path:
    """A tar, compressed as the name's ending says."""
    with tarfile.open(path, f"w:{path.suffix[1:]}") as tar:
        for name in folders:
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def make_speech_commands(folder: Path, *, lists_last: bool = True) -> dict[str, Path]:
    """``speech_commands_v0.02.tar.gz``: 9 recordings to train on, 3 to validate, 4 to test."""
    places = [
        "backward/0165e0e8_nohash_0.wav",
        "backward/017c4098_nohash_3.wav",
        "bed/00176480_nohash_0.wav",
        "bed/004ae714_nohash_0.wav",
        "bed/004ae714_nohash_1.wav",
        "bed/00f0204f_nohash_0.wav",
        "no/0132a06d_nohash_2.wav",
        "no/0132a06d_nohash_4.wav",
        "no/01b4757a_nohash_10.wav",
        "up/0137b3f4_nohash_0.wav",
        "up/023a61ad_nohash_0.wav",
        "yes/0132a06d_nohash_2.wav",
        "yes/0137b3f4_nohash_1.wav",
        "yes/01bb6a2a_nohash_0.wav",
        "zero/004ae714_nohash_0.wav",
        "zero/0c40e715_nohash_0.wav",
    ]
    testing, validation = places[1::5] + places[2:3], places[0::7]
    texts = [
        ("./LICENSE", b"Creative Commons\n"),
        ("./README.md", b"# Speech Commands Data Set v0.02\n"),
        ("./testing_list.txt", "\n".join(testing).encode() + b"\n"),
        ("./validation_list.txt", "\n".join(validation).encode() + b"\n"),
    ]
    sounds = [
        ("./_background_noise_/README.md", b"noise\n"),
        ("./_background_noise_/doing_the_dishes.wav", wav_bytes(99, 4000, 16000)),
    ]
    # most recordings last one second, some less
    sounds += [
        (f"./{place}", wav_bytes(i, 16000 if i % 3 else 11146, 16000))
        for i, place in enumerate(reversed(places))
    ]
    members = sounds + texts if lists_last else texts + sounds
    folders = [".", "./_background_noise_", *sorted({f"./{p.split('/')[0]}" for p in places})]
    path = folder / "speech_commands_v0.02.tar.gz"
    return {"archive": write_tar(path, members, folders)}


def make_yesno(folder: Path) -> dict[str, Path]:
    """``waves_yesno.tar.gz``: 7 of the 60 recordings."""
    codes = (0b00001111, 0b00010001, 0b01001100, 0b10000111, 0b10110010, 0b11100001, 0b11111111)
    members = [("waves_yesno/README", b"This directory contains ...\n")]
    for i, code in enumerate(codes):
        name = "_".join(f"{code:08b}")
        members.append((f"waves_yesno/{name}.wav", wav_bytes(i, 5000 + 77 * i, 8000)))
    return {"archive": write_tar(folder / "waves_yesno.tar.gz", members, ["waves_yesno"])}


def make_ljspeech(folder: Path, *, metadata_last: bool = False) -> dict[str, Path]:
    """``LJSpeech-1.1.tar.bz2``: 5 recordings; some texts have quotes, commas and accents."""
    rows = [
        ("LJ001-0001", "Printing, in the only sense", "Printing, in the only sense"),
        ("LJ001-0007", 'the "forty-two line Bible" of 1455,', 'the "forty-two line Bible" of'),
        ("LJ002-0298", '"quoted from the start', '"quoted from the start'),
        ("LJ016-0287", "£5 a week", "five pounds a week"),
        ("LJ050-0278", "café, 3rd ed.", "café, third edition"),
    ]
    text = "".join("|".join(row) + "\n" for row in rows).encode()
    sounds = [
        (f"LJSpeech-1.1/wavs/{row[0]}.wav", wav_bytes(i, 3000 + 501 * i, 22050))
        for i, row in enumerate(rows)
    ]
    words = [("LJSpeech-1.1/README", b"LJ Speech\n"), ("LJSpeech-1.1/metadata.csv", text)]
    members = sounds[::-1] + words if metadata_last else words + sounds[::-1]
    folders = ["LJSpeech-1.1", "LJSpeech-1.1/wavs"]
    return {"archive": write_tar(folder / "LJSpeech-1.1.tar.bz2", members, folders)}
