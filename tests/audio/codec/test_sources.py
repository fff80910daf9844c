"""The same recording from a path, bytes, file objects and archives; and what is no recording."""

from __future__ import annotations

import gc
import io
import os
import sys
import tarfile
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from support.recordings import encoded

from domainkit.archive import walk
from domainkit.audio import Raw, info, load, stream
from domainkit.audio.codec import decode_audio
from domainkit.cards import load_card
from domainkit.errors import ArchiveError, DecodeError, MissingExtraError

KINDS = {
    "a.wav": ("WAV", "PCM_16"),
    "a.flac": ("FLAC", "PCM_16"),
    "a.ogg": ("OGG", "VORBIS"),
    "a.mp3": ("MP3", "MPEG_LAYER_III"),
}


class Pipe(io.RawIOBase):
    """Bytes that come once."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._inner.readinto(buffer)


@pytest.mark.parametrize("name", KINDS)
def test_all_ways_give_the_same(tmp_path: Path, name: str) -> None:
    data = encoded(*KINDS[name])
    path = tmp_path / name
    path.write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr(f"in/{name}", data)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as pack:
        pack.add(path, f"in/{name}")
    whole, rate = decode_audio(data)
    shifted = io.BytesIO(b"before" + data)
    shifted.seek(6)
    with path.open("rb") as opened:
        ways = [
            *(str(path), path, data, bytearray(data), memoryview(data), opened),
            *(io.BytesIO(data), Pipe(data), shifted),
            *(f"{tmp_path}/a.zip::in/{name}", f"{tmp_path}/a.tar.gz::in/{name}"),
        ]
        for way in ways:
            part, ours = load(way, 30_000, 999)
            assert ours == rate and torch.equal(part, whole[:, 30_000:30_999]), way
        assert not opened.closed
    for pack_ in ("a.zip", "a.tar.gz"):
        (member,) = walk(tmp_path / pack_)
        del member
        for member in walk(tmp_path / pack_):
            assert torch.equal(load(member)[0], whole)
    assert info(path).num_frames == whole.shape[1]


def test_an_archive_says_what_it_lacks(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr("a.wav", encoded("WAV", "PCM_16"))
    with pytest.raises(ArchiveError, match=r"no member 'b\.wav'.*a\.wav"):
        load(f"{tmp_path}/a.zip::b.wav")


def open_files() -> set[str]:
    gc.collect()
    links = Path("/proc/self/fd").iterdir()
    return {os.readlink(link) for link in links if link.exists()}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc")
def test_files_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(encoded("FLAC", "PCM_16"))
    with stream(path, 1000) as blocks:
        next(blocks)
        assert str(path) in open_files()
    assert str(path) not in open_files()
    assert list(blocks) == []
    half = stream(path, 1000)
    list(half)
    assert str(path) not in open_files()  # at the end of the iteration
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DecodeError):
        list(stream(path, 1000))
    with pytest.raises(DecodeError):
        load(path)
    assert str(path) not in open_files()


def test_blocks_overlap() -> None:
    data = encoded("WAV", "PCM_16", 16000, 2)
    whole, _ = decode_audio(data)
    blocks = list(stream(data, 1000, overlap=300))
    assert all(block.shape == (2, 1000) for block in blocks[:-1])
    starts = range(0, whole.shape[1], 700)
    for start, block in zip(starts, blocks, strict=False):
        assert torch.equal(block, whole[:, start : start + 1000])
    assert starts[len(blocks) - 1] + blocks[-1].shape[1] == whole.shape[1]
    ints = torch.cat(list(stream(data, 7000, dtype=torch.int16)), 1)
    assert torch.equal(ints / 32768, whole)
    for frames, overlap in ((0, 0), (10, 10), (10, -1)):
        with pytest.raises(DecodeError, match=r"frames_per_block|overlap is a whole"):
            stream(data, frames, overlap)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("/no/such/a.wav", r"/no/such/a\.wav: cannot be opened: No such file"),
        (io.StringIO("text"), "mode 'rb'"),
        (17, "expected a path, bytes"),
        (b"<html>", "these 6 bytes cannot be decoded"),
    ],
)
def test_what_is_no_recording(file, message) -> None:
    for function in (load, info):
        with pytest.raises(DecodeError, match=message):
            function(file)


def test_arguments_that_make_no_sense() -> None:
    data = encoded("WAV", "PCM_16")
    with pytest.raises(DecodeError, match="frame_offset is a whole number >= 0, got -1"):
        load(data, -1)
    with pytest.raises(DecodeError, match="num_frames is a whole number >= -1, got -2"):
        load(data, 0, -2)
    with pytest.raises(DecodeError, match=r"torch\.int16, got torch\.float64"):
        load(data, dtype=torch.float64)
    with pytest.raises(DecodeError, match="sample_rate is a whole number >= 1, got 0"):
        load(data, sample_rate=0)
    for wrong in ("16000", 16000.0, 10**12):
        with pytest.raises(DecodeError, match="sample_rate"):
            load(data, sample_rate=wrong)
    for wrong in (100.5, None, "all"):
        with pytest.raises(DecodeError, match="num_frames is a whole number"):
            load(data, 0, wrong)
    with pytest.raises(DecodeError, match="frames_per_block is a whole number"):
        stream(data, 100.5)
    with pytest.raises(DecodeError, match=r"subtype is one of PCM_S8.*got 'S16'"):
        Raw(8000, 1, "S16")


@pytest.mark.parametrize("name", KINDS)
def test_a_file_object_is_left_where_it_stood(tmp_path, name) -> None:
    data = encoded(*KINDS[name], seconds=2.0)
    whole, rate = decode_audio(data)
    path = tmp_path / name
    path.write_bytes(b"12345" + data)
    for file, place in ((io.BytesIO(data), 0), (path.open("rb"), 5)):
        with file:
            file.seek(place)
            about = info(file)
            first, _ = load(file, 0, 1000)
            again, _ = load(file)
            blocks = list(stream(file, 5000))
            assert file.tell() == place
        assert (about.sample_rate, about.num_frames) == (rate, whole.shape[1])
        assert torch.equal(first, whole[:, :1000]) and torch.equal(again, whole)
        assert torch.equal(torch.cat(blocks, 1), whole)


@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_may_be_written_into(channels) -> None:
    data = encoded("WAV", "PCM_16", channels=channels, seconds=0.5)
    expected = [block.clone() for block in stream(data, 100, overlap=30)]
    for block, truth in zip(stream(data, 100, overlap=30), expected, strict=True):
        assert torch.equal(block, truth)
        block.zero_()


@pytest.mark.parametrize("kept", [0.3, 0.8])
@pytest.mark.parametrize("kind", ["WAV", "W64", "RF64", "AIFF", "AU"])
def test_what_was_cut_off_is_no_recording(kind, kept) -> None:
    data = encoded(kind, "PCM_16")
    assert load(data)[0].shape[1] == info(data).num_frames
    short = data[: int(len(data) * kept)]
    for function in (load, decode_audio):
        with pytest.raises(DecodeError, match="cut off"):
            function(short)
    left, _ = load(short, partial=True)
    assert torch.equal(left, load(data)[0][:, : left.shape[1]]) and left.shape[1] > 1000


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFF000])
def test_a_wav_from_a_pipe_is_whole(size) -> None:
    data = bytearray(encoded("WAV", "PCM_16"))
    whole, _ = load(bytes(data))
    place = data.index(b"data") + 4
    data[place : place + 4] = size.to_bytes(4, "little")
    assert torch.equal(load(bytes(data))[0], whole)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("left", [0.3, 0.7, 0.98])
def test_a_cut_off_file_is_told_by_name_or_read_as_far_as_it_goes(tmp_path, name, left) -> None:
    data = encoded(*KINDS[name], seconds=20.0)
    whole, _ = decode_audio(data)
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * left)])
    with pytest.raises(DecodeError, match=rf"{path}.*(cut off|cannot be decoded)"):
        load(path)
    with pytest.raises(DecodeError, match=r"cut off|cannot be decoded"):
        list(stream(path, 4096))
    part, _ = load(path, partial=True)
    count = part.shape[1]
    assert 0.2 * left < count / whole.shape[1] < min(1, 1.4 * left)
    sure = max(0, count - 2500)  # the last frames of a lossy format may be half there
    assert torch.equal(part[:, :sure], whole[:, :sure])
    assert torch.equal(torch.cat(list(stream(path, 4096, partial=True)), 1), part)
    # what lies before the cut can be had as it is
    assert torch.equal(load(path, 1000, 2000, partial=True)[0], whole[:, 1000:3000])


def test_an_ogg_cut_between_two_pages_is_read_as_shorter(tmp_path: Path) -> None:
    # nothing tells it from a recording that ended there
    data = encoded("OGG", "VORBIS")
    path = tmp_path / "a.ogg"
    path.write_bytes(data[: data.rindex(b"OggS")])
    assert load(path)[0].shape[1] < decode_audio(data)[0].shape[1]


@pytest.mark.parametrize("head", [b"\0\0\0\x20ftypM4A \0\0\0\0", b"\x1a\x45\xdf\xa3" * 8])
def test_what_ffmpeg_only_reads_names_the_extra(tmp_path, monkeypatch, head) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    path = tmp_path / "a.m4a"
    path.write_bytes(head)
    for function in (load, info):
        with pytest.raises(MissingExtraError, match=r"a\.m4a: .*domainkit\[torchcodec\]"):
            function(path)


def test_with_torchcodec_parts_are_slices_of_what_it_gives(tmp_path, monkeypatch) -> None:
    # a stand-in: FFmpeg's libraries are not to be had everywhere
    samples = torch.arange(10.0).reshape(2, 5) / 16

    class AudioDecoder:
        metadata = types.SimpleNamespace(codec="aac")

        def __init__(self, source) -> None:
            assert source == str(tmp_path / "a.m4a")

        def get_all_samples(self):
            return types.SimpleNamespace(data=samples, sample_rate=8000)

    fake = types.ModuleType("torchcodec.decoders")
    fake.AudioDecoder = AudioDecoder
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", fake)
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0")
    assert torch.equal(load(path)[0], samples)
    assert torch.equal(load(path, 1, 3)[0], samples[:, 1:4])
    assert load(path, dtype=torch.int16)[0].tolist() == (samples * 32768).int().tolist()
    assert info(path).encoding == "AAC"


ALSA = sorted(Path("/usr/share/sounds/alsa").glob("*.wav"))


@pytest.mark.skipif(not ALSA, reason="alsa-utils is not installed")
def test_alsas_recordings() -> None:
    from scipy.io import wavfile

    for path in ALSA:
        rate, truth = wavfile.read(path)
        sound, ours = load(path, dtype=torch.int16)
        assert ours == rate and np.array_equal(sound.numpy(), np.atleast_2d(truth.T))
        assert info(path).num_frames == sound.shape[1]


def test_the_voice_prompts_in_their_archive() -> None:
    path = load_card("audio/voice-prompts").files["recordings"].path
    for number, member in enumerate(walk(path)):
        if number % 40:
            continue
        data = member.read()
        whole, rate = decode_audio(data)
        sound, ours = load(data)
        assert ours == rate == 8000 and torch.equal(sound, whole)
        assert info(data).num_frames == whole.shape[1]
        half = whole.shape[1] // 2
        assert torch.equal(load(data, half)[0], whole[:, half:])
