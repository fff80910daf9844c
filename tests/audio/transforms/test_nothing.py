"""Batches without recordings, recordings without samples: results without any, or clear errors."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from domainkit.audio import transforms as t
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

RATE = 16000
FRONT_ENDS = [
    t.LogMel(RATE),
    t.Spectrogram(),
    t.MelSpectrogram(n_mels=40),
    t.MFCC(melkwargs={"n_mels": 40}),
    t.LFCC(),
    t.SpectralCentroid(),
    t.KaldiFbank(),
    t.KaldiMFCC(),
    t.KaldiPitch(),
    t.WhisperLogMel(),
    t.CQT(),
]
OF_WAVEFORMS = [
    t.Gain(3.0),
    t.RandomGain(p=1.0),
    t.Mono(),
    t.Resample(RATE, 8000),
    t.Resample(RATE, 8000, resampling_method="high_quality"),
    t.Speed(RATE, 1.1),
    t.SpeedPerturbation((0.9, 1.1)),
    t.RandomSpeed(p=1.0),
    t.RandomPitch(RATE, p=1.0),
    t.RandomNoise(p=1.0),
    t.RandomFilter(RATE, p=1.0),
    t.RandomClip(p=1.0),
    t.RandomPolarity(p=1.0),
    t.RandomCodec(RATE, ("ulaw",), p=1.0),
    t.RandomRoomResponse(RATE, responses=torch.ones(1, 3), p=1.0),
    t.NormalizeLoudness(RATE),
    t.TrimSilence(),
    t.Vad(RATE),
    t.Fade(10, 10),
    t.Vol(0.5),
    t.Preemphasis(),
    t.Deemphasis(),
    t.MuLawEncoding(),
    t.Effects([["gain", "-3"], ["lowpass", "3k"]], RATE),
]


def names(transform: object) -> str:
    return repr(transform)[:40]


@pytest.mark.parametrize("transform", [*FRONT_ENDS, *OF_WAVEFORMS], ids=names)
def test_a_batch_of_none(transform):
    assert len(transform(torch.zeros(0, 1, 4000))) == 0


@pytest.mark.parametrize("transform", OF_WAVEFORMS, ids=names)
def test_recordings_of_no_samples(transform):
    x = Ragged.from_list([torch.rand(1, 4000), torch.rand(1, 0), torch.rand(1, 700)])
    out = transform(x)
    assert len(out) == 3 and out[1].shape == (1, 0)
    assert bool(out.values.isfinite().all())
    for item in transform(torch.zeros(2, 1, 0)):
        assert item.shape == (1, 0)


@pytest.mark.parametrize("transform", [*FRONT_ENDS, *OF_WAVEFORMS], ids=names)
def test_whole_numbers_and_missing_dimensions_are_refused(transform):
    for x in (torch.zeros(2, 1, 4000).short(), torch.zeros(2, 4000), torch.zeros(4000)):
        with pytest.raises(TransformError):
            transform(x)


@pytest.mark.parametrize("transform", [*FRONT_ENDS, *OF_WAVEFORMS], ids=names)
def test_a_transform_travels_to_another_process(transform):
    there = pickle.loads(pickle.dumps(transform))
    assert there == transform == copy.deepcopy(transform)
    x = torch.rand(1, 1, 4000)
    torch.manual_seed(0)
    mine = transform(x)
    torch.manual_seed(0)
    theirs = there(x)
    assert torch.equal(*(v.values if isinstance(v, Ragged) else v for v in (mine, theirs)))


def test_crops_want_one_number_of_channels():
    x = Ragged.from_list([torch.rand(2, 900), torch.rand(1, 900)])
    for crop in (t.RandomCrop(500), t.CenterCrop(500)):
        with pytest.raises(TransformError, match="got 1 to 2: put Mono before it"):
            crop(x)


def test_spectrograms_too_short_to_search_in():
    empty = t.GriffinLim()(torch.zeros(0, 9, 201))
    assert empty.shape == (0, 1, 1600)
    assert t.GriffinLim()(torch.zeros(2, 1, 201)).shape == (2, 1, 0)
