"""Polarity, clipping and codecs: what changes, how much, how often."""

from __future__ import annotations

import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms
from support.recordings import speech

from domainkit.audio import functional as F
from domainkit.audio.transforms import RandomClip, RandomCodec, RandomPolarity
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

ITEMS = waveforms((900, 512, 900, 1, 37), channels=2)
CODECS = ("mp3", "ogg", "ulaw", "8bit")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "transform",
    [RandomPolarity(), RandomClip(p=0.8), RandomClip(0.0, 12.0, by="decibels")],
    ids=["polarity", "percent", "decibels"],
)
def test_same_result_in_any_batch(transform, device):
    assert_batch_invariant(transform, ITEMS, device=device)


def test_codecs_are_the_same_in_any_batch():
    items = waveforms((2400, 1512, 2400, 700, 903))
    assert_batch_invariant(RandomCodec(8000, CODECS, p=0.8), items)


def test_polarity_is_turned_as_often_as_asked():
    x, draws = torch.ones(2000, 1, 2), Draws(1, 0, torch.arange(2000))
    out = RandomPolarity(p=0.3)(x, draws)
    assert set(out.unique().tolist()) == {-1.0, 1.0}
    assert abs(float((out[:, 0, 0] < 0).float().mean()) - 0.3) < 0.03


@pytest.mark.parametrize("percent", [1.0, 10.0, 50.0])
def test_so_many_samples_are_cut(percent):
    x = Ragged.from_list(waveforms((4000, 900, 2500), channels=2))
    out = RandomClip(percent, percent, p=1.0)(x)
    for before, after in zip(x, out, strict=True):
        cut = (before != after).float().mean()
        assert abs(float(cut) * 100 - percent) < 100 / 900
        height = after.abs().max()
        torch.testing.assert_close(after, before.clamp(-height, height))


def test_the_height_is_so_far_below_the_peak():
    x = torch.stack(ITEMS[:1] * 500)
    out = RandomClip(3.0, 9.0, by="decibels", p=1.0)(x, Draws(5, 0, torch.arange(500)))
    below = -20 * (out.abs().amax((1, 2)) / x.abs().amax((1, 2))).log10()
    assert 3 <= float(below.min()) < 3.2 and 8.8 < float(below.max()) <= 9.0001
    assert abs(float(below.mean()) - 6) < 0.3


def test_each_recording_has_a_codec_of_its_own():
    x = Ragged.from_list([item[None] for item in speech(5)] * 4)
    out = RandomCodec(8000, CODECS, 0.7, 0.7, p=1.0)(x, Draws(3, 0, torch.arange(20)))
    known = [
        {"format": "mp3", "compression": 0.7},
        {"format": "ogg", "compression": 0.7},
        {"format": "wav", "encoding": "ULAW"},
        {"format": "wav", "encoding": "PCM_U8"},
    ]
    seen = set()
    for before, after in zip(x, out, strict=True):
        same = [torch.equal(F.apply_codec(before, 8000, **how), after) for how in known]
        assert sum(same) == 1
        seen.add(same.index(True))
        # in time with what it was
        shifts = [
            float((before[:, 50:-50] * after.roll(s, 1)[:, 50:-50]).sum()) for s in (-9, 0, 9)
        ]
        assert max(shifts) == shifts[1]
    assert seen == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: RandomPolarity(p=2.0), "p in"),
        (lambda: RandomClip(5.0, 1.0), "0 <= low <= high"),
        (lambda: RandomClip(by="samples"), "'percent' or 'decibels'"),
        (lambda: RandomCodec(8000, ()), "a list of codecs"),
        (lambda: RandomCodec(8000, ("mp7",)), "mp7"),
        (lambda: RandomCodec(8000, min_compression=0.9, max_compression=0.1), "min_compression"),
    ],
)
def test_what_is_wrong_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
