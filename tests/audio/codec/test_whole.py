"""Recordings in and out: against scipy, Python's wave and arithmetic; and damaged ones."""

from __future__ import annotations

import csv
import io
import math
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.io import wavfile
from support.publishers_audio import wav_bytes

from domainkit.audio.codec import decode_audio, encode_wav
from domainkit.cards import load_card
from domainkit.errors import DecodeError

RATE = 16000
TONE = 0.5 * torch.sin(2 * math.pi * 440 * torch.arange(8000) / RATE)
FORMATS = [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]


def encoded(kind: str, subtype: str, sound: np.ndarray | None = None) -> bytes:
    out = io.BytesIO()
    sound = TONE.numpy() if sound is None else sound
    soundfile.write(out, sound, RATE, format=kind, subtype=subtype)
    return out.getvalue()


@pytest.fixture(scope="module")
def prompts() -> dict[str, bytes]:
    path = load_card("audio/voice-prompts").files["recordings"].path
    assert path is not None
    with zipfile.ZipFile(path) as pack:
        return {name: pack.read(name) for name in pack.namelist()}


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_pcm_equals_scipy(wrap: type) -> None:
    data = wav_bytes(3, 5000, 22050)
    rate, truth = wavfile.read(io.BytesIO(data))
    waveform, ours = decode_audio(wrap(data))
    assert ours == rate == 22050
    assert waveform.dtype == torch.float32 and waveform.shape == (1, 5000)
    assert torch.equal(waveform[0], torch.from_numpy(truth / np.float32(32768)))


def test_channels_come_first() -> None:
    sound = np.stack([np.full(10, 0.25), np.full(10, -0.5)], 1)
    waveform, _ = decode_audio(encoded("WAV", "FLOAT", sound))
    assert waveform.is_contiguous()
    assert waveform.tolist() == [[0.25] * 10, [-0.5] * 10]


@pytest.mark.parametrize(("kind", "subtype"), FORMATS)
def test_a_tone_survives_each_format(kind: str, subtype: str) -> None:
    waveform, rate = decode_audio(encoded(kind, subtype))
    assert (rate, waveform.shape) == (RATE, (1, 8000))
    lossless = kind in ("WAV", "FLAC")
    middle = slice(2000, 6000)  # lossy formats ring at the ends
    error = (waveform[0, middle] - TONE[middle]).abs().max()
    assert error < (1 / 32768 if lossless else 0.02)


def test_voice_prompts_last_as_long_as_their_manifest_says(prompts: dict[str, bytes]) -> None:
    # GSM is stored in blocks of 320 samples: without the header's count 348 of 455 are too long
    path = load_card("audio/voice-prompts").files["manifest"].path
    assert path is not None
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(prompts) == 455
    for row in rows:
        waveform, rate = decode_audio(prompts[row["file"]])
        assert rate == 8000 and waveform.shape[0] == 1
        assert waveform.shape[1] == round(float(row["seconds"]) * 8000)
        assert 0.01 < waveform.abs().max() <= 1


def test_gsm_begins_as_libsndfile_decodes_it(prompts: dict[str, bytes], tmp_path: Path) -> None:
    data = prompts["en/agent-loggedoff.wav"]
    file = tmp_path / "a.wav"
    file.write_bytes(data)
    truth, _ = soundfile.read(file, dtype="float32")
    waveform, _ = decode_audio(data)
    assert waveform.shape[1] < len(truth)
    assert torch.equal(waveform[0], torch.from_numpy(truth[: waveform.shape[1]]))


def test_encode_wav_round_trip_is_exact_for_16_bit_sound() -> None:
    data = wav_bytes(1, 999, 8000)
    waveform, rate = decode_audio(data)
    assert encode_wav(waveform, rate) == data


def test_encode_wav_clips_and_keeps_channels() -> None:
    waveform = torch.tensor([[0.0, 1.0, 2.0], [-1.0, -3.0, 0.5]], dtype=torch.float64)
    rate, samples = wavfile.read(io.BytesIO(encode_wav(waveform, 44100)))
    assert rate == 44100
    assert samples.T.tolist() == [[0, 32767, 32767], [-32768, -32768, 16384]]


@pytest.mark.parametrize("waveform", [torch.zeros(5), torch.zeros(1, 5, dtype=torch.int16)])
def test_encode_wav_wants_a_floating_waveform(waveform: torch.Tensor) -> None:
    with pytest.raises(DecodeError, match=r"expected a floating waveform \[C, T\]"):
        encode_wav(waveform, RATE)


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "GSM610"), *FORMATS[1:3]]
)
@pytest.mark.parametrize("left", [0.9999, 0.5, 0.05])
def test_a_cut_off_recording_raises(kind: str, subtype: str, left: float) -> None:
    data = encoded(kind, subtype, TONE.numpy()[:8000])
    with pytest.raises(DecodeError, match=r"cut off|cannot be decoded"):
        decode_audio(data[: int(len(data) * left) - 1])


def test_a_cut_off_wav_says_how_much_is_missing() -> None:
    with pytest.raises(DecodeError, match=r"promises 2000 bytes of sound, 956 are there"):
        decode_audio(wav_bytes(0, 1000, 8000)[:1000])


@pytest.mark.parametrize("data", [b"", b"RIFF", b"\x00" * 1000, b"<html>not found</html>"])
def test_something_else_raises(data: bytes) -> None:
    with pytest.raises(DecodeError, match=rf"these {len(data)} bytes cannot be decoded"):
        decode_audio(data)


def test_a_wav_written_to_a_pipe_is_not_taken_for_damaged() -> None:
    data = bytearray(wav_bytes(0, 500, 8000))
    struct.pack_into("<I", data, 4, 0xFFFFFFFF)
    struct.pack_into("<I", data, 40, 0xFFFFFFFF)
    waveform, _ = decode_audio(data)
    assert torch.equal(waveform, decode_audio(wav_bytes(0, 500, 8000))[0])


def test_a_recording_without_samples_is_empty() -> None:
    waveform, rate = decode_audio(wav_bytes(0, 0, 8000))
    assert (waveform.shape, rate) == ((1, 0), 8000)


def test_a_wav_that_was_never_finished_is_told() -> None:
    data = bytearray(wav_bytes(3, 500, 22050))
    place = data.index(b"data") + 4
    data[place : place + 4] = bytes(4)
    with pytest.raises(DecodeError, match="promises no sound, and 1000 bytes follow"):
        decode_audio(bytes(data))
    # no sound, and a chunk of notes behind it, is a file as it should be
    empty = bytes(data[: place + 4]) + b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert decode_audio(empty)[0].shape == (1, 0)
