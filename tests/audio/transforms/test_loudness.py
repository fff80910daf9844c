"""Loudness, silence and speech: the standard's tone, librosa's ends, torchaudio's start."""

from __future__ import annotations

import librosa
import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms
from support.peers import torchaudio_or_skip
from support.recordings import speech

from domainkit.audio import functional as F
from domainkit.audio.transforms import Loudness, NormalizeLoudness, TrimSilence, Vad
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

ITEMS = waveforms((9000, 5120, 9000, 4001, 8037), channels=2)
SPOKEN = [torch.cat([torch.zeros(1, 3000 + 900 * i), x[None]], 1) for i, x in enumerate(speech(5))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("transform", "items"),
    [
        (NormalizeLoudness(8000), ITEMS),
        (NormalizeLoudness(8000, -10.0, max_peak_db=-3.0), ITEMS),
        (TrimSilence(30.0, 400, 100), [*SPOKEN, SPOKEN[0]]),
        (Vad(8000), [*SPOKEN, SPOKEN[0]]),
        (Vad(8000, trim_end=True), [*SPOKEN, SPOKEN[0]]),
    ],
    ids=["loudness", "peak", "trim", "vad", "vad, both ends"],
)
def test_same_result_in_any_batch(transform, items, device):
    assert_batch_invariant(transform, items, atol=1e-5, device=device)


def test_loudness_of_a_padded_batch_is_that_of_each():
    together = Loudness(8000)(Ragged.from_list(ITEMS))
    alone = torch.stack([F.loudness_r128(item, 8000) for item in ITEMS])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    batch = Loudness(8000)({"audio": Ragged.from_list(ITEMS)})
    torch.testing.assert_close(batch["loudness"], together)


def test_all_are_brought_to_one_loudness():
    loud = Loudness(8000)(NormalizeLoudness(8000, -18.0)(Ragged.from_list(ITEMS)))
    torch.testing.assert_close(loud, torch.full((5,), -18.0), rtol=0, atol=1e-3)
    limited = NormalizeLoudness(8000, 0.0, max_peak_db=-1.0)(Ragged.from_list(ITEMS))
    for item in limited:
        assert float(item.abs().max()) == pytest.approx(10 ** (-1 / 20), abs=1e-6)
    silent = torch.zeros(1, 1, 8000)
    assert torch.equal(NormalizeLoudness(8000)(silent), silent)


@pytest.mark.parametrize("top_db", [20.0, 40.0, 60.0])
def test_trimming_is_librosas(top_db):
    out = TrimSilence(top_db, 512, 128)(Ragged.from_list(SPOKEN))
    for mine, item in zip(out, SPOKEN, strict=True):
        theirs, _ = librosa.effects.trim(
            item[0].numpy(), top_db=top_db, frame_length=512, hop_length=128
        )
        torch.testing.assert_close(mine[0], torch.from_numpy(theirs.copy()))
    silent = torch.zeros(1, 1, 3000)
    assert torch.equal(TrimSilence()(silent)[0], silent[0])


def test_speech_begins_where_torchaudio_hears_it():
    theirs = torchaudio_or_skip().transforms.Vad(8000)
    out = Vad(8000)(Ragged.from_list(SPOKEN))
    for mine, item in zip(out, SPOKEN, strict=True):
        torch.testing.assert_close(mine, theirs(item))
    assert int((out.lengths < torch.tensor([x.shape[1] for x in SPOKEN])).sum()) >= 4


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: NormalizeLoudness(8000, 99.0), "-200..20 LUFS, got 99"),
        (lambda: TrimSilence(0.0), "top_db > 0"),
        (lambda: Loudness(8000)(torch.zeros(1, 7, 9000)), "6"),
    ],
)
def test_what_is_wrong_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
