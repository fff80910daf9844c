"""TrimSilence against librosa, Vad against torchaudio's function; alone as in company."""

from __future__ import annotations

import dataclasses
import inspect
import math

import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms

from domainkit.audio import functional as F
from domainkit.audio.transforms import TrimSilence, Vad
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

RATE = 8000


def words(channels: int = 1) -> list[torch.Tensor]:
    """Noise whose loudness comes and goes, of different lengths."""
    made = []
    for i, x in enumerate(waveforms((9000, 5777, 9000, 2049, 12345, 513, 1), channels)):
        t = torch.arange(x.shape[1]) / 1000
        made.append(x * 10 ** (-3 * (1 + torch.cos(t * (1 + 0.3 * i)))) * (t > 0.4 * i))
    return made


def voice(seed: int, seconds: float = 3.0, channels: int = 1) -> torch.Tensor:
    """[C, T]: a glottal tone that comes and goes, from some moment on, in some noise."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(int(seconds * RATE)) / RATE
    pitch = 100 + 80 * torch.rand(1, generator=generator) * (1 + 0.1 * torch.sin(6 * math.pi * t))
    phase = 2 * math.pi * (pitch / RATE).cumsum(0)
    tone = sum(torch.sin(k * phase) / k for k in range(1, 25))
    begin = (0.5, 0.9, 1.4)[seed % 3]
    sound = 0.2 * tone * torch.sin(5.4 * math.pi * t + seed).clamp(min=0) * (t > begin)
    return sound + torch.randn(channels, len(t), generator=generator) * 1e-3


@pytest.mark.parametrize("device", DEVICES)
def test_trimmed_the_same_in_any_batch(device):
    assert_batch_invariant(TrimSilence(30.0, 512, 128), words(2), device=device)
    assert_batch_invariant(TrimSilence(20.0), words(), device=device)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    "given", [(60, 2048, 512), (30, 512, 128), (10, 400, 160), (80, 64, 100), (60, 401, 100)]
)
def test_places_are_librosas(given, channels):
    librosa = pytest.importorskip("librosa")
    items = words(channels)
    for item, out in zip(items, TrimSilence(*given)(Ragged.from_list(items)), strict=True):
        theirs, _ = librosa.effects.trim(
            item.numpy(), top_db=given[0], frame_length=given[1], hop_length=given[2]
        )
        assert torch.equal(out, torch.from_numpy(theirs.copy()))


def test_silence_is_kept_whole_as_librosa_does():
    out = TrimSilence()(Ragged.from_list([torch.zeros(1, 3000), torch.zeros(1, 0)]))
    assert out[0].shape == (1, 3000) and out[1].shape == (1, 0)
    assert TrimSilence()(torch.zeros(2, 1, 0)).lengths.tolist() == [0, 0]


def test_gradients_reach_what_is_kept():
    x = words()[0].requires_grad_()
    out = TrimSilence(20.0, 256, 64)(x[None])[0]
    out.sum().backward()
    assert float(x.grad.sum()) == out.numel() and set(x.grad.flatten().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("device", DEVICES)
def test_speech_begins_at_the_same_place_in_any_batch(device):
    items = [voice(i, 4.0 - 0.2 * (i % 5)) for i in (2, 4, 1, 7)]
    assert_batch_invariant(Vad(RATE, trigger_level=5.0), items, device=device)


@pytest.mark.parametrize("level", [5.0, 4.0])
def test_vad_is_the_function_recording_by_recording(level):
    items = [voice(i, 4.0 - 0.2 * i, channels=1 + i % 2) for i in (1, 2, 4, 5, 7)]
    given = {"trigger_level": level, "pre_trigger_time": 0.1}
    out = Vad(RATE, **given)(Ragged.from_list([*items, torch.zeros(1, 4000), torch.zeros(1, 0)]))
    for item, cut in zip(items, out, strict=False):
        assert torch.equal(cut, F.vad(item, RATE, **given))
        assert 0 < cut.shape[1] < item.shape[1]
    assert out.lengths[-2:].tolist() == [0, 0]


def test_what_comes_after_speech_is_cut_by_hearing_it_backwards():
    items = [voice(i, 4.0, channels=1 + i % 2) for i in (1, 4, 5)]
    given = {"trigger_level": 5.0}
    out = Vad(RATE, trim_end=True, **given)(Ragged.from_list(items))
    for item, cut in zip(items, out, strict=True):
        assert torch.equal(cut, F.vad(F.vad(item, RATE, **given).flip(-1), RATE, **given).flip(-1))


def test_vad_has_the_arguments_of_the_function():
    function = list(inspect.signature(F.vad).parameters.values())[1:]
    fields = [f for f in dataclasses.fields(Vad) if f.name != "trim_end"]
    assert [p.name for p in function] == [f.name for f in fields]
    assert [p.default for p in function[1:]] == [f.default for f in fields[1:]]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: TrimSilence(0), "top_db"),
        (lambda: TrimSilence(frame_length=1), "frame_length"),
        (lambda: TrimSilence(hop_length=0), "hop_length"),
        (lambda: Vad(RATE, measure_freq=0.0), "measure_freq"),
        (lambda: Vad(RATE, lp_filter_freq=10.0), "no band"),
    ],
    ids=["top", "frame", "hop", "measures", "band"],
)
def test_what_is_wrong_is_told(made, told):
    with pytest.raises(TransformError, match=told):
        made()
