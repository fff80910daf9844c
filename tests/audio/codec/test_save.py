"""Every format round-trips: lossless ones exactly, lossy ones as near as their method allows."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.io import wavfile
from support.recordings import sound

from domainkit.audio import Raw, info, load, save
from domainkit.errors import DecodeError

RATE = 16000
INTS = torch.from_numpy(np.random.default_rng(1).integers(-32768, 32768, (2, 4000), dtype=np.int16))
SPEECH = torch.from_numpy(sound(32000, 2, RATE).T.copy())
EXACT_FOR_INT16 = [
    *(("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "PCM_32"), ("wav", "FLOAT")),
    *(("wav", "DOUBLE"), ("flac", "PCM_16"), ("flac", "PCM_24"), ("aiff", "PCM_16")),
    *(("aiff", "PCM_24"), ("aiff", "FLOAT"), ("au", "PCM_16"), ("au", "PCM_32"), ("au", "FLOAT")),
    *(("caf", "ALAC_16"), ("caf", "PCM_24"), ("w64", "PCM_16"), ("rf64", "PCM_16")),
]


def signal_to_noise(made: torch.Tensor, true: torch.Tensor) -> float:
    """In dB."""
    return float(10 * torch.log10(true.square().sum() / (made - true).square().sum()))


@pytest.mark.parametrize(("kind", "subtype"), EXACT_FOR_INT16)
def test_int16_comes_back_exactly(tmp_path: Path, kind: str, subtype: str) -> None:
    file = tmp_path / f"a.{kind}"
    save(file, INTS, RATE, encoding=subtype)
    back, rate = load(file, dtype=torch.int16)
    assert rate == RATE and back.dtype == torch.int16
    assert torch.equal(back, INTS)
    assert torch.equal(load(file)[0], INTS.float() / 32768)
    about = info(file)
    assert (about.subtype, about.num_frames, about.num_channels) == (subtype, 4000, 2)
    assert list(tmp_path.iterdir()) == [file]  # nothing is left beside it


@pytest.mark.filterwarnings("ignore:Chunk")  # libsndfile writes the peak of floats in one
def test_wav_and_au_are_what_others_read(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    save(file, INTS, RATE)
    rate, truth = wavfile.read(file)
    assert rate == RATE and np.array_equal(truth.T, INTS.numpy())
    with wave.open(str(file)) as opened:
        assert (opened.getnchannels(), opened.getsampwidth(), opened.getframerate()) == (2, 2, RATE)
        assert opened.readframes(5000) == INTS.T.contiguous().numpy().tobytes()
    save(tmp_path / "b.wav", SPEECH, RATE)
    _, truth = wavfile.read(tmp_path / "b.wav")
    assert truth.dtype == np.float32 and np.array_equal(truth.T, SPEECH.numpy())
    save(tmp_path / "a.au", INTS, RATE)
    data = (tmp_path / "a.au").read_bytes()
    magic, start, size, code, rate, channels = struct.unpack_from(">4s5I", data)
    assert (magic, code, rate, channels) == (b".snd", 3, RATE, 2)
    assert data[start : start + size] == INTS.T.contiguous().numpy().astype(">i2").tobytes()


@pytest.mark.skipif(shutil.which("flac") is None, reason="the flac program is not installed")
def test_flac_is_what_its_own_program_decodes(tmp_path: Path) -> None:
    save(tmp_path / "a.flac", INTS, RATE, compression=1.0)
    subprocess.run(["flac", "-d", "-s", "-o", "b.wav", "a.flac"], cwd=tmp_path, check=True)
    assert np.array_equal(wavfile.read(tmp_path / "b.wav")[1].T, INTS.numpy())


@pytest.mark.parametrize("subtype", sorted(soundfile.available_subtypes("WAV")))
def test_wav_in_every_subtype(tmp_path: Path, subtype: str) -> None:
    if subtype == "MPEG_LAYER_III":
        pytest.skip("listed by libsndfile, which does not write it")
    one = subtype in ("GSM610", "G721_32", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32")
    true = SPEECH[:1] if one else SPEECH
    save(tmp_path / "a.wav", true, RATE, encoding=subtype)
    back, rate = load(tmp_path / "a.wav")
    assert rate == RATE and 0 <= back.shape[1] - true.shape[1] < 2048  # blocks are filled up
    exact = {"PCM_16": 85, "PCM_24": 130, "PCM_32": 140, "FLOAT": 999, "DOUBLE": 999}
    floor = exact.get(subtype, 4)
    assert signal_to_noise(back[:, : true.shape[1]], true) > floor - (floor == 999) * 800


@pytest.mark.parametrize(
    ("name", "encoding", "decibels"),
    [("a.mp3", None, 12), ("a.ogg", None, 12), ("a.opus", None, 8), ("a.ogg", "OPUS", 8)],
)
def test_lossy_formats_keep_the_sound(tmp_path: Path, name: str, encoding, decibels: int) -> None:
    for waveform in (SPEECH, (SPEECH * 32767).to(torch.int16)):
        save(tmp_path / name, waveform, RATE, encoding=encoding)
        back, rate = load(tmp_path / name)
        assert (rate, back.shape) == (RATE, SPEECH.shape)  # in step, too: else there were no SNR
        assert signal_to_noise(back, SPEECH) > decibels


def test_compression_makes_files_smaller(tmp_path: Path) -> None:
    for name in ("a.mp3", "a.ogg", "a.opus", "a.flac"):
        sizes = []
        for compression in (0.3, 0.9):
            save(tmp_path / name, SPEECH, RATE, compression=compression)
            sizes.append((tmp_path / name).stat().st_size)
        assert sizes[1] < sizes[0], name
    steady = io.BytesIO()
    save(steady, SPEECH, RATE, format="mp3", bitrate_mode="CONSTANT")
    assert load(steady.getvalue())[0].shape[1] >= SPEECH.shape[1]


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "ULAW", "PCM_S8"])
def test_headerless_sound_needs_to_be_told_what_it_is(tmp_path: Path, subtype: str) -> None:
    file = tmp_path / "a.raw"
    save(file, SPEECH, RATE, encoding=subtype)
    raw = Raw(RATE, 2, subtype)
    back, rate = load(file, raw=raw)
    assert (rate, back.shape) == (RATE, SPEECH.shape)
    assert signal_to_noise(back, SPEECH) > 25
    assert torch.equal(load(file, 1000, 77, raw=raw)[0], back[:, 1000:1077])
    assert info(file, raw=raw).num_frames == SPEECH.shape[1]
    with pytest.raises(DecodeError, match=r"a\.raw: .*raw=Raw"):
        load(file)
    with pytest.raises(DecodeError, match="sample_rate is a whole number >= 1"):
        Raw(0, 2, "PCM_16")


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_torchaudios_names_of_encodings(tmp_path: Path, bits: int) -> None:
    save(tmp_path / "a.wav", SPEECH, RATE, bits_per_sample=bits)
    about = info(tmp_path / "a.wav")
    assert about.bits_per_sample == bits
    assert about.encoding == ("PCM_U" if bits == 8 else "PCM_S")
    assert about.duration == 2.0
    save(tmp_path / "a.wav", SPEECH, RATE, encoding="PCM_F", bits_per_sample=64)
    assert info(tmp_path / "a.wav").subtype == "DOUBLE"


def test_integers_of_32_bits(tmp_path: Path) -> None:
    wide = torch.tensor([[-(2**31), 2**31 - 1, 1 << 16, 3 << 15, 0]], dtype=torch.int32)
    save(tmp_path / "a.wav", wide, RATE)
    assert np.array_equal(soundfile.read(tmp_path / "a.wav", dtype="int32")[0], wide[0].numpy())
    save(tmp_path / "b.wav", wide, RATE, encoding="PCM_16")
    rounded = load(tmp_path / "b.wav", dtype=torch.int16)[0]
    assert rounded.tolist() == [[-32768, 32767, 1, 2, 0]]  # 1.5 to the even one
    assert torch.equal(load(tmp_path / "a.wav", dtype=torch.int16)[0], rounded)


def test_what_is_beyond_full_scale(tmp_path: Path) -> None:
    loud = torch.tensor([[2.0, -3.0, 0.5, 1.0]])
    clipped = [[32767, -32768, 16384, 32767]]
    for name, encoding in (("a.wav", "PCM_16"), ("a.flac", None)):
        save(tmp_path / name, loud, RATE, encoding=encoding)
        assert load(tmp_path / name, dtype=torch.int16)[0].tolist() == clipped
        with pytest.raises(DecodeError, match=r"reaches 3 .*clip=True"):
            save(tmp_path / name, loud, RATE, encoding=encoding, clip=False)
    save(tmp_path / "b.wav", loud, RATE)
    assert torch.equal(load(tmp_path / "b.wav")[0], loud)  # FLOAT keeps it
    assert load(tmp_path / "b.wav", dtype=torch.int16)[0].tolist() == clipped


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_no_number_is_refused_and_nothing_is_written(tmp_path: Path, bad: float) -> None:
    file = tmp_path / "a.wav"
    save(file, INTS, RATE)
    before = file.read_bytes()
    with pytest.raises(DecodeError, match=r"a\.wav: .*NaN or infinity"):
        save(file, torch.tensor([[0.0, bad]]), RATE)
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("name", "waveform", "rate", "how", "message"),
    [
        ("a.wav", torch.zeros(5), RATE, {}, r"\[C, T\].*waveform\[None\]"),
        ("a.wav", torch.zeros(1, 5, dtype=torch.uint8), RATE, {}, "got uint8"),
        ("a.xyz", torch.zeros(1, 5), RATE, {}, "no audio format 'xyz'.*flac"),
        ("a.flac", torch.zeros(1, 5), RATE, {"encoding": "FLOAT"}, "FLAC has no subtype.*PCM_24"),
        ("a.opus", torch.zeros(1, 5), 44100, {}, "cannot hold 1 channels at 44100 Hz.*Resample"),
        ("a.mp3", torch.zeros(3, 5), RATE, {}, "cannot hold 3 channels"),
        ("a.flac", torch.zeros(1, 5), RATE, {"compression": 2.0}, r"in \[0, 1\], got 2"),
        ("a.wav", torch.zeros(1, 5), RATE, {"encoding": "ULAW", "bits_per_sample": 8}, "goes with"),
        ("no/such/a.wav", torch.zeros(1, 5), RATE, {}, "cannot be written: No such file"),
    ],
)
def test_what_cannot_be_saved_says_why(tmp_path: Path, name, waveform, rate, how, message) -> None:
    with pytest.raises(DecodeError, match=message):
        save(tmp_path / name, waveform, rate, **how)
    assert list(tmp_path.iterdir()) == []


def test_channels_last_and_file_objects() -> None:
    file = io.BytesIO()
    save(file, INTS.T, RATE, format="wav", channels_first=False)
    assert torch.equal(load(file.getvalue(), dtype=torch.int16)[0], INTS)
    assert torch.equal(load(file.getvalue(), dtype=torch.int16, channels_first=False)[0], INTS.T)
    with pytest.raises(DecodeError, match="pass format="):
        save(io.BytesIO(), INTS, RATE)


def test_a_minute_of_ogg_vorbis() -> None:
    # handed to libvorbis at once it overflows the stack
    file = io.BytesIO()
    save(file, torch.zeros(2, 44100 * 60, dtype=torch.int16), 44100, format="ogg")
    assert info(file.getvalue()).duration == 60


@pytest.mark.skipif(os.name == "nt", reason="links and rights are those of POSIX")
def test_what_a_path_stands_for_is_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "target.wav", tmp_path / "link.wav"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    save(link, INTS, RATE)
    assert link.is_symlink() and target.stat().st_mode & 0o777 == 0o600
    assert torch.equal(load(target, dtype=torch.int16)[0], INTS)
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    came: list[bytes] = []
    reader = threading.Thread(target=lambda: came.append(pipe.read_bytes()))
    reader.start()
    save(pipe, INTS, RATE)
    reader.join(60)
    assert pipe.is_fifo() and came == [target.read_bytes()]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.wav", "pipe.wav", "target.wav"]


@pytest.mark.parametrize(
    ("given", "how", "told"),
    [
        ((np.zeros((1, 9)), RATE), {}, "tensor .*got ndarray"),
        ((torch.zeros(1, 9), 44100.7), {}, "sample_rate is a whole number"),
        ((torch.zeros(1, 9), 0), {}, "sample_rate is a whole number >= 1, got 0"),
        ((torch.zeros(48000, 2), RATE), {}, "48000 channels: a waveform .T, C. needs channels_fi"),
        ((torch.full((1, 9), 9000.0), RATE), {"encoding": "PCM_16"}, "reaches 9000 where full"),
        ((torch.zeros(1, 9).long(), RATE), {}, r"got int64: waveform\.to\(torch\.int16\)"),
        ((torch.zeros(1, 9), RATE), {"compression": 0.5}, "WAV has no compression to choose"),
        ((torch.zeros(1, 9), RATE), {"bitrate_mode": "VBR"}, "'VARIABLE' and for MP3, got 'VBR'"),
    ],
)
def test_what_cannot_be_saved_is_told(tmp_path: Path, given, how, told) -> None:
    with pytest.raises(DecodeError, match=told):
        save(tmp_path / "a.wav", *given, **how)
    assert not list(tmp_path.iterdir())
    with pytest.raises(DecodeError, match="save takes a path"):
        save(torch.zeros(1, 9), tmp_path / "a.wav", RATE)


def test_the_bitrate_mode_is_kept() -> None:
    made = {}
    for mode in ("CONSTANT", "VARIABLE"):
        file = io.BytesIO()
        save(file, SPEECH, RATE, format="mp3", bitrate_mode=mode)
        made[mode] = file.getvalue()
    assert b"Info" in made["CONSTANT"][:200] and b"Xing" in made["VARIABLE"][:200]
