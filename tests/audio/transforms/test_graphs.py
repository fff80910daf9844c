"""Transforms of recordings of one length in whole graphs: torch.compile and torch.export."""

from __future__ import annotations

import io

import pytest
import torch
from support.audio_batches import waveforms

from domainkit.audio.transforms import (
    CQT,
    CenterCrop,
    Compose,
    Gain,
    KaldiFbank,
    KaldiMFCC,
    LogMel,
    Mono,
    RandomClip,
    RandomCrop,
    RandomFilter,
    RandomGain,
    RandomNoise,
    RandomPolarity,
    Resample,
    SpecAugment,
    Standardize,
    WhisperLogMel,
)
from domainkit.draws import Draws

X = torch.stack(waveforms((4000, 4000, 4000)))
FEATURES = [Standardize(), SpecAugment(freq_width=9, time_width=9)]
WAVEFORMS = [
    Gain(3.0),
    RandomGain(p=0.7),
    Mono(),
    LogMel(16000),
    LogMel(16000, pad_mode="reflect", power=1.0),
    Resample(16000, 8000),
    Resample(44100, 16000),
    Resample(16000, 8000, resampling_method="high_quality"),
    RandomNoise(p=0.5),
    RandomPolarity(),
    RandomClip(),
    RandomCrop(1000),
    CenterCrop(5000),
    KaldiFbank(),
    KaldiFbank(snip_edges=False, use_energy=True),
    KaldiMFCC(),
    WhisperLogMel(length=None),
    WhisperLogMel(length=8000),
    CQT(16000, 256),
]


def draws() -> Draws:
    return Draws(seed=1, epoch=2, ids=torch.tensor([5, 6, 7]))


@pytest.mark.parametrize(
    ("transform", "x"),
    [
        *((t, X) for t in WAVEFORMS),
        *((t, LogMel(16000)(X)) for t in FEATURES),
        (Compose([Resample(16000, 8000), RandomGain(), LogMel(8000), Standardize()]), X),
    ],
    ids=lambda v: repr(v)[:60] if not isinstance(v, torch.Tensor) else "",
)
def test_one_graph(transform, x):
    torch._dynamo.reset()
    # the graph is what is asked about here, not the machine code made of it
    compiled = torch.compile(transform, fullgraph=True, backend="aot_eager", dynamic=False)
    torch.testing.assert_close(compiled(x, draws()), transform(x, draws()), rtol=1e-4, atol=2e-5)


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = LogMel(16000)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return self.features.apply(waveform, draws())


def test_log_mel_is_exported_for_any_batch_and_comes_back():
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(Model(), (X,), dynamic_shapes={"waveform": {0: batch}})
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    more = torch.cat([X, X.flip(2)])
    torch.testing.assert_close(loaded(more), LogMel(16000)(more), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "transform",
    [LogMel(16000), Resample(16000, 8000), RandomFilter(16000, p=1.0), RandomNoise(p=1.0)],
    ids=lambda t: type(t).__name__,
)
def test_gradients_reach_the_recording(transform):
    x = X.clone().requires_grad_()
    transform(x, draws()).square().sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())
    assert float((x.grad.abs().sum(2) > 0).float().mean()) == 1
