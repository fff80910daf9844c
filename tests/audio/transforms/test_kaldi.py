"""Kaldi's features of batches: torchaudio's numbers for each, and the same in any company."""

from __future__ import annotations

import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms
from support.peers import torchaudio_or_skip

from domainkit.audio.transforms import KaldiFbank, KaldiMFCC
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

ITEMS = waveforms((4000, 1601, 4000, 799, 2400))
CASES = [
    ("fbank", KaldiFbank(scale=32768.0), {"num_mel_bins": 80}),
    ("fbank", KaldiFbank(snip_edges=False, use_energy=True, num_mel_bins=23), {
        "snip_edges": False, "use_energy": True, "num_mel_bins": 23,
    }),
    ("mfcc", KaldiMFCC(scale=32768.0), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "transform", "theirs"), CASES, ids=["80", "edges", "mfcc"])
def test_is_torchaudios(name, transform, theirs):
    torchaudio_or_skip()
    import torchaudio.compliance.kaldi

    reference = getattr(torchaudio.compliance.kaldi, name)
    out = transform(Ragged.from_list(ITEMS))
    for mine, item in zip(out, ITEMS, strict=True):
        want = reference(item * transform.scale, dither=0.0, **theirs)
        torch.testing.assert_close(mine, want, rtol=0, atol=5e-3)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("transform", [c[1] for c in CASES], ids=["80", "edges", "mfcc"])
def test_same_result_in_any_batch(transform, device):
    assert_batch_invariant(transform, ITEMS, atol=1e-4, device=device)


def test_gradients_reach_the_recording():
    x = torch.stack(ITEMS[:1]).requires_grad_()
    KaldiFbank()(x).square().sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all()) and float(x.grad.norm()) > 0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: KaldiFbank(scale=0.0), "scale above 0"),
        (lambda: KaldiFbank(num_mel_bins=1), "num_mel_bins"),
        (lambda: KaldiFbank()(torch.zeros(1, 2, 9000)), "put Mono before it"),
    ],
)
def test_what_is_wrong_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
