"""KaldiFbank and KaldiMFCC, against torchaudio and kaldi-native-fbank, alone and in batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms
from support.peers import torchaudio_or_skip

from domainkit.audio.transforms import KaldiFbank, KaldiMFCC
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

TRANSFORMS = [KaldiFbank, KaldiMFCC]
SETTINGS: list[dict[str, Any]] = [
    {},
    {"snip_edges": False, "subtract_mean": True},
    {"use_energy": True, "scale": 32768.0, "window_type": "hamming"},
    {"sample_frequency": 8000.0, "num_mel_bins": 40, "high_freq": -400.0, "low_freq": 60.0},
]


@contextmanager
def in_float64() -> Iterator[None]:
    """torchaudio makes its filters in the default dtype."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_numbers_are_torchaudios(kind: Any, setting: dict[str, Any]) -> None:
    torchaudio_or_skip()
    from torchaudio.compliance import kaldi

    theirs = {"num_mel_bins": 80 if kind is KaldiFbank else 23} | setting
    scale = theirs.pop("scale", 1.0)
    reference = kaldi.fbank if kind is KaldiFbank else kaldi.mfcc
    items = waveforms((4000, 1601, 799), dtype=torch.float64)
    out = kind(**setting)(Ragged.from_list(items))
    for item, row in zip(items, out, strict=True):
        with in_float64():
            truth = reference(item * scale, **theirs)
        torch.testing.assert_close(row, truth, rtol=0, atol=1e-9)
        alone = kind(**setting)(item[None].float())[0].double()
        torch.testing.assert_close(alone, truth, rtol=0, atol=1e-3)


@pytest.mark.parametrize("snip", [True, False])
@pytest.mark.parametrize("kind", TRANSFORMS)
def test_numbers_are_kaldi_native_fbanks(kind: Any, snip: bool) -> None:
    native = pytest.importorskip("kaldi_native_fbank")
    name = "Fbank" if kind is KaldiFbank else "Mfcc"
    options = getattr(native, f"{name}Options")()
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = snip
    options.mel_opts.num_bins = 23
    options.use_energy = False
    online = getattr(native, f"Online{name}")(options)
    (x,) = waveforms((5000,))
    online.accept_waveform(16000, (x[0] * 32768).tolist())
    online.input_finished()
    truth = np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])
    out = kind(num_mel_bins=23, snip_edges=snip, scale=32768.0)(x[None])[0]
    np.testing.assert_allclose(out.numpy(), truth, rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("device", DEVICES)
def test_same_result_in_any_batch(kind: Any, setting: dict[str, Any], device: str) -> None:
    atol = 1e-5 if device == "cpu" else 1e-3  # another device has another Fourier transform
    items = [x.double() if device == "cpu" else x for x in waveforms()]
    assert_batch_invariant(kind(**setting), items, atol=atol, device=device)
    if device == "cpu":
        # a logarithm of little energy tells of rounding, in float32 by an amount that depends on
        # the processor, and the lifter of MFCC multiplies it by up to 12
        atol = 1e-4 if kind is KaldiMFCC else 1e-5
        assert_batch_invariant(kind(**setting), waveforms(), atol=atol)


def test_the_layout() -> None:
    items = waveforms((399, 400, 559, 560, 0))
    out = KaldiFbank()(Ragged.from_list(items))
    assert (out.host_shapes.tolist(), out.inner) == ([[0], [1], [1], [2], [0]], (80,))
    out = KaldiMFCC(snip_edges=False)(Ragged.from_list(items))
    assert (out.host_shapes.tolist(), out.inner) == ([[2], [3], [3], [4], [0]], (13,))
    assert KaldiFbank(use_energy=True)(torch.zeros(2, 1, 720)).shape == (2, 3, 81)
    assert KaldiFbank()(torch.zeros(0, 1, 720)).shape == (0, 3, 80)
    assert KaldiMFCC()(torch.zeros(2, 1, 100)).shape == (2, 0, 13)
    batch = KaldiFbank()({"audio": torch.zeros(2, 1, 720), "label": torch.tensor([0, 1])})
    assert batch["audio"].shape == (2, 3, 80) and batch["label"].tolist() == [0, 1]


def test_scale_is_loudness_before_the_logarithm() -> None:
    x = torch.stack(waveforms([2000], dtype=torch.float64))
    more = KaldiFbank(scale=32768.0)(x) - KaldiFbank()(x)
    torch.testing.assert_close(more, torch.full_like(more, 2 * math.log(32768)))


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_gradients_reach_the_waveform(kind: Any) -> None:
    setting = {"frame_length": 4.0, "frame_shift": 2.0, "num_mel_bins": 4, "scale": 3.0}
    transform = kind(**setting, **({"num_ceps": 3} if kind is KaldiMFCC else {}))
    x = 0.1 * torch.randn(1, 1, 150, dtype=torch.float64)
    x.requires_grad_()
    assert torch.autograd.gradcheck(transform, (x,))
    transform(Ragged.from_list([x[0], x[0, :, :100]])).values.sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all()) and float(x.grad.abs().sum()) > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KaldiFbank(num_mel_bins=3), "whole number >= 4, got 3"),
        (lambda: KaldiFbank(high_freq=9000.0), "<= 8000 Hz, got 20 and 9000"),
        (lambda: KaldiFbank(frame_shift=0.01), "1 sample apart"),
        (lambda: KaldiFbank(window_type="kaiser"), "window_type is one of"),
        (lambda: KaldiFbank(scale=0.0), "KaldiFbank needs scale above 0, got 0"),
        (lambda: KaldiMFCC(num_ceps=24), "num_ceps <= num_mel_bins"),
        (lambda: KaldiMFCC(scale=-1.0), "KaldiMFCC needs scale above 0, got -1"),
        (lambda: KaldiFbank()(torch.zeros(1, 2, 800)), "one channel, got 2: put Mono before it"),
        (lambda: KaldiMFCC()(torch.zeros(1, 800)), r"waveforms \[B, C, T\], got \[1, 800\]"),
        (lambda: KaldiFbank()(torch.zeros(1, 1, 800).short()), "float32 or float64, got int16"),
        (
            lambda: KaldiFbank()(Ragged.from_list(waveforms([800], channels=2))),
            "one channel, got 2: put Mono before it",
        ),
    ],
)
def test_wrong_input_is_told(make: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        make()


def test_strided_recordings():
    x = torch.stack(waveforms((4000, 4000, 4000), dtype=torch.float64), -1)  # [1, 4000, 3]
    x = x.permute(2, 0, 1)
    assert not x.is_contiguous()
    for transform in (KaldiFbank(), KaldiMFCC()):
        torch.testing.assert_close(transform(x), transform(x.contiguous()))
