"""``apply_codec``: same length, in time, of the quality that the format promises."""

from __future__ import annotations

import math

import pytest
import torch

from domainkit.audio import functional as F
from domainkit.errors import TransformError

CODECS = [
    ("mp3", {}, 20.0),
    ("mp3", {"bitrate_mode": "CONSTANT"}, 15.0),
    ("mp3", {"compression": 0.2, "bitrate_mode": "VARIABLE"}, 20.0),
    ("ogg", {}, 15.0),
    ("opus", {}, 15.0),
    ("wav", {"encoding": "ULAW"}, 30.0),
    ("wav", {"encoding": "ALAW"}, 30.0),
    ("wav", {"encoding": "PCM_U8"}, 30.0),
    ("wav", {"encoding": "IMA_ADPCM"}, 20.0),
    ("wav", {"encoding": "GSM"}, 5.0),
    ("flac", {"bits_per_sample": 16}, 75.0),
]


def chirp(rate: int, length: int) -> torch.Tensor:
    t = torch.arange(length) / rate
    tone = 0.3 * torch.sin(2 * math.pi * (200 + 300 * t) * t)
    return torch.stack([tone, -0.5 * tone])


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize(("format", "given", "ratio"), CODECS, ids=str)
def test_codecs_keep_length_and_time(format, given, ratio, rate):
    x = chirp(rate, rate + 123)[None]
    done = F.apply_codec(x, rate, format, **given)
    assert done.shape == x.shape and done.dtype == x.dtype
    error = (done - x)[..., 800:-800]  # a sample late would be below 20 dB, a frame below 0
    signal = x[..., 800:-800]
    assert float(10 * (signal.square().sum() / error.square().sum()).log10()) > ratio
    assert not torch.equal(done, x)


@pytest.mark.parametrize("length", [0, 1, 300])
def test_short_ones(length):
    for format, given, _ in CODECS:
        x = chirp(16000, length)
        assert F.apply_codec(x, 16000, format, **given).shape == x.shape
        assert F.apply_codec(x[0].double(), 16000, format, **given).dtype == torch.float64


def test_rates_that_a_format_does_not_know():
    x = chirp(96000, 9600)
    done = F.apply_codec(x, 96000, "opus")
    assert done.shape == x.shape and float((done - x)[:, 2000:-2000].abs().max()) < 0.05


def test_wrong_input_is_told():
    with pytest.raises(TransformError, match=r"apply_codec: .*no audio format 'mp4'"):
        F.apply_codec(torch.zeros(2, 9), 8000, "mp4")
    with pytest.raises(TransformError, match="no subtype"):
        F.apply_codec(torch.zeros(2, 9), 8000, "flac", "ULAW")
    with pytest.raises(TransformError, match="floating numbers"):
        F.apply_codec(torch.zeros(2, 9).int(), 8000, "wav")
