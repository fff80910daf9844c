"""A part is the slice of the whole, bit by bit, in every format; the whole is soundfile's."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.recordings import encoded

from domainkit.audio import info, load, stream
from domainkit.audio.codec import audio_shape, decode_audio
from domainkit.audio.codec.mp3 import list_frames
from domainkit.errors import DecodeError

SMALL = {"compression_level": 0.99}
STEADY = {"compression_level": 0.99, "bitrate_mode": "CONSTANT"}
CASES = {
    "wav": ("WAV", "PCM_16", 16000, 2, {}),
    "wav-24": ("WAV", "PCM_24", 44100, 1, {}),
    "wav-float": ("WAV", "FLOAT", 8000, 1, {}),
    "wav-ima": ("WAV", "IMA_ADPCM", 16000, 2, {}),
    "wav-gsm": ("AIFF", "GSM610", 8000, 1, {}),
    "aiff": ("AIFF", "PCM_24", 22050, 2, {}),
    "au": ("AU", "ULAW", 8000, 1, {}),
    "flac": ("FLAC", "PCM_16", 44100, 2, {}),
    "flac-24": ("FLAC", "PCM_24", 16000, 1, {}),
    "ogg": ("OGG", "VORBIS", 44100, 1, {}),
    "ogg-stereo": ("OGG", "VORBIS", 16000, 2, {}),
    "opus": ("OGG", "OPUS", 48000, 2, {}),
    "opus-voice": ("OGG", "OPUS", 16000, 1, SMALL),
    "opus-8k": ("OGG", "OPUS", 8000, 1, {}),
    "mp3": ("MP3", "MPEG_LAYER_III", 44100, 2, {}),
    "mp3-mono": ("MP3", "MPEG_LAYER_III", 44100, 1, {}),
    "mp3-small": ("MP3", "MPEG_LAYER_III", 44100, 1, SMALL),
    "mp3-small-stereo": ("MP3", "MPEG_LAYER_III", 32000, 2, SMALL),
    "mp3-16k": ("MP3", "MPEG_LAYER_III", 16000, 1, {}),
    "mp3-8k": ("MP3", "MPEG_LAYER_III", 8000, 2, {}),
    "mp3-variable": ("MP3", "MPEG_LAYER_III", 24000, 1, {"bitrate_mode": "VARIABLE"}),
    "mp3-steady": ("MP3", "MPEG_LAYER_III", 44100, 2, STEADY),
}


class Straight(soundfile.SoundFile):
    """soundfile seeks after each read, which upsets its MP3 decoder; not here."""

    def seekable(self) -> bool:
        return False


def truth(data: bytes) -> np.ndarray:
    """All samples [T, C] in one read by soundfile."""
    with Straight(io.BytesIO(data)) as file:
        return file.read(file.frames, dtype="float32", always_2d=True)


@pytest.fixture(scope="module")
def wholes() -> dict[str, tuple[bytes, np.ndarray]]:
    made = {}
    for name, (kind, subtype, rate, channels, how) in CASES.items():
        data = encoded(kind, subtype, rate, channels, seconds=12.0, **how)
        made[name] = data, truth(data)
    return made


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40)
@given(data=st.data())
def test_a_part_is_the_slice_of_the_whole(name, wholes, data) -> None:
    encoded_, whole = wholes[name]
    offset = data.draw(st.integers(0, len(whole)) | st.integers(len(whole) - 3000, len(whole)))
    count = data.draw(st.just(-1) | st.integers(0, min(5000, len(whole) - offset)))
    part, _ = load(encoded_, offset, count)
    end = len(whole) if count < 0 else offset + count
    assert part.shape == (whole.shape[1], end - offset)
    assert np.array_equal(part.numpy().T, whole[offset:end])


@pytest.mark.parametrize("name", CASES)
def test_the_last_samples(name, wholes) -> None:
    data, whole = wholes[name]
    count = len(whole)
    for offset in (count - 1, count - 2, count - 100, count - 1500):
        assert np.array_equal(load(data, offset)[0].numpy().T, whole[offset:])
    assert load(data, count)[0].shape == (whole.shape[1], 0)
    assert load(data, 0, 0)[0].shape == (whole.shape[1], 0)
    assert info(data).num_frames == count


@pytest.mark.parametrize("name", CASES)
def test_beyond_the_end_says_the_length(name, wholes) -> None:
    data, whole = wholes[name]
    for offset, count in ((len(whole) + 1, -1), (len(whole) - 10, 11), (0, len(whole) + 1)):
        with pytest.raises(DecodeError, match=f"has {len(whole)} samples per channel"):
            load(data, offset, count)
    tail, _ = load(data, len(whole) - 10, 11, partial=True)
    assert np.array_equal(tail.numpy().T, whole[-10:])
    assert load(data, len(whole) + 1, partial=True)[0].shape == (whole.shape[1], 0)


@pytest.mark.parametrize("name", CASES)
def test_blocks_together_are_the_part(name, wholes) -> None:
    data, whole = wholes[name]
    with stream(data, 3001, frame_offset=7777) as blocks:
        joined = torch.cat(list(blocks), 1)
    assert np.array_equal(joined.numpy().T, whole[7777:])


def without_info_frame(data: bytes) -> bytes:
    frames = list_frames(data)
    assert frames is not None and frames.tagged
    return data[frames.places[0][0] :]


@pytest.mark.parametrize("name", ["mp3", "mp3-mono", "mp3-16k", "mp3-variable"])
def test_an_mp3_that_does_not_tell_its_length_is_read_to_its_end(name, wholes) -> None:
    # libsndfile guesses 321,140 of 882,123 samples for such a file
    tagged, whole = wholes[name]
    data = without_info_frame(tagged)
    sound, _ = load(data)
    assert info(data).num_frames == sound.shape[1] >= len(whole)
    assert torch.equal(decode_audio(data)[0], sound)
    assert audio_shape(data) == (tuple(sound.shape), info(data).sample_rate)
    lead = 576 + 529  # LAME's delay and the decoder's: what the Info frame has left out
    assert np.array_equal(sound.numpy().T[lead : lead + len(whole)], whole)
    assert np.array_equal(truth(data)[:50000], sound.numpy().T[:50000])
    for offset in (1, 300, 529, 530, 5000, 60000):
        assert torch.equal(load(data, offset, 3000)[0], sound[:, offset : offset + 3000])


def test_an_mp3_with_tags_around_it(wholes) -> None:
    data, whole = wholes["mp3-mono"]
    picture = b"APIC" + bytes(range(256)) * 8
    size = len(picture)
    id3 = b"ID3\x04\0\0" + bytes([0, 0, size >> 7, size & 127]) + picture
    tagged = id3 + data + b"TAG" + b"x" * 125
    assert np.array_equal(load(tagged)[0].numpy().T, whole)
    assert np.array_equal(load(tagged, 200_000, 777)[0].numpy().T, whole[200_000:200_777])


def test_an_mp3_with_rubbish_in_it_is_decoded_from_its_start(wholes) -> None:
    data, _ = wholes["mp3-mono"]
    frames = list_frames(data)
    assert frames is not None
    cut = frames.places[100][0]
    broken = data[:cut] + b"\x55" * 1000 + data[cut:]
    assert list_frames(broken) is None
    whole = truth(broken)
    part, _ = load(broken, 300_000, 5000)
    assert np.array_equal(part.numpy().T, whole[300_000:305_000])


@pytest.mark.parametrize("name", ["mp3", "mp3-mono", "mp3-small", "mp3-16k", "mp3-steady"])
def test_a_part_of_an_mp3_is_made_from_few_frames(name, wholes) -> None:
    frames = list_frames(wholes[name][0])
    assert frames is not None
    part, before = frames.part(frames.block * 150, 1000)
    assert len(part) < len(wholes[name][0]) / 4
    assert before < 64 * frames.block


def test_frames_with_checksums_are_left_as_they_are(wholes) -> None:
    plain = list_frames(wholes["mp3-mono"][0])
    assert plain is not None and not plain.protected
    data = bytearray(wholes["mp3-mono"][0])
    for place, _ in plain.places:
        data[place + 1] &= 0xFE
    frames = list_frames(bytes(data))
    assert frames is not None and frames.protected
    part, before = frames.part(300_000, 10)
    first, (last, length) = frames.places[0][0], frames.places[200]
    assert bytes(data[first : last + length]) in part
    assert before == 300_000 + frames.skipped - 529


@pytest.mark.parametrize("blank", ["flags", "extension", "all"])
def test_an_mp3_whose_tag_tells_little(blank: str) -> None:
    data = bytearray(encoded("MP3", "MPEG_LAYER_III", 44100, seconds=10.0, **SMALL))
    tag = max(data.find(b"Xing", 0, 200), data.find(b"Info", 0, 200))
    assert tag > 0
    frames = int.from_bytes(data[tag + 8 : tag + 12], "big")
    if blank != "extension":
        data[tag + 4 : tag + 8] = bytes(4)
    if blank != "flags":
        data[tag + 120 : tag + 150] = bytes(30)
    given = bytes(data)
    whole, rate = load(given)
    told = info(given).num_frames
    assert rate == 44100 and whole.shape[1] == told
    assert 0 <= frames * 1152 - told <= 4 * 1152  # all frames, less what the encoder put around
    assert torch.equal(decode_audio(given)[0], whole)
    for first in (0, 500, 3000, 100_000):
        assert torch.equal(load(given, first, 500)[0], whole[:, first : first + 500])
