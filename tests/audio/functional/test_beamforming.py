"""Beamforming: torchaudio's numbers, and a plane wave that comes out of noise."""

from __future__ import annotations

import math

import pytest
import torch

from domainkit.audio import functional as F
from domainkit.audio import transforms as t
from domainkit.errors import TransformError

torchaudio = pytest.importorskip("torchaudio")

BATCH, C, BINS, FRAMES = 2, 4, 9, 50


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.complex128)


SPEC = noise(BATCH, C, BINS, FRAMES)
MASK = torch.rand(BATCH, BINS, FRAMES, generator=torch.Generator().manual_seed(1)).double()
SOME = torch.rand(BATCH, C, BINS, FRAMES, generator=torch.Generator().manual_seed(2)).double()
PSD_S, PSD_N = F.psd(SPEC, MASK), F.psd(noise(BATCH, C, BINS, FRAMES, seed=2), 1 - MASK)
ONE_HOT = torch.tensor([[0.0, 1.0, 0.0, 0.0]] * BATCH).double()


def close(mine: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("mask", [MASK, None], ids=["mask", "none"])
def test_covariances(mask, normalize):
    close(
        F.psd(SPEC, mask, normalize, 1e-4), torchaudio.functional.psd(SPEC, mask, normalize, 1e-4)
    )


@pytest.mark.parametrize("reference", [0, 2, ONE_HOT], ids=["0", "2", "one-hot"])
@pytest.mark.parametrize("loading", [True, False])
def test_weights(reference, loading):
    theirs = torchaudio.functional
    how = (reference, loading, 1e-5)
    close(F.mvdr_weights_souden(PSD_S, PSD_N, *how), theirs.mvdr_weights_souden(PSD_S, PSD_N, *how))
    rtf = noise(BATCH, BINS, C, seed=3)
    close(F.mvdr_weights_rtf(rtf, PSD_N, *how), theirs.mvdr_weights_rtf(rtf, PSD_N, *how))
    for n_iter in (1, 2, 5):
        given = (reference, n_iter, loading, 1e-5)
        close(F.rtf_power(PSD_S, PSD_N, *given), theirs.rtf_power(PSD_S, PSD_N, *given))
    weights = F.mvdr_weights_souden(PSD_S, PSD_N, *how)
    close(F.apply_beamforming(weights, SPEC), theirs.apply_beamforming(weights, SPEC))


def test_steering_by_eigenvectors():
    mine, theirs = F.rtf_evd(PSD_S), torchaudio.functional.rtf_evd(PSD_S)
    # an eigenvector's phase is anybody's
    close((mine.conj() * theirs).sum(-1).abs(), torch.ones(BATCH, BINS).double())


@pytest.mark.parametrize("solution", ["ref_channel", "stv_evd", "stv_power"])
@pytest.mark.parametrize("multi", [False, True])
def test_the_module(solution, multi):
    mask = MASK[:, None].repeat(1, C, 1, 1) * SOME if multi else MASK
    given = (1, solution, multi, True, 1e-6)
    mine, theirs = t.MVDR(*given), torchaudio.transforms.MVDR(*given)
    close(mine(SPEC, mask), theirs(SPEC, mask, 1 - mask))
    assert mine(SPEC.to(torch.complex64), mask.float()).dtype == torch.complex64


@pytest.mark.parametrize("multi", [False, True])
def test_part_by_part_is_all_that_was_heard(multi):
    mask = MASK[:, None].repeat(1, C, 1, 1) if multi else MASK
    online = t.MVDR(multi_mask=multi, online=True)
    for part in (slice(0, 13), slice(13, 40), slice(40, 50)):
        last = online(SPEC[..., part], mask[..., part])
    close(last, t.MVDR(multi_mask=multi)(SPEC, mask)[..., 40:])


def test_online_forgets_when_told_and_keeps_no_graph():
    online = t.MVDR(online=True)
    spec = SPEC.clone().requires_grad_()
    first = online(spec[..., :30], MASK[..., :30])
    for _ in range(2):
        online(spec[..., :30], MASK[..., :30]).abs().sum().backward()
    with pytest.raises(TransformError, match=r"call reset\(\) before another"):
        online(SPEC[0], MASK[0])
    online.reset()
    torch.testing.assert_close(online(SPEC[..., :30], MASK[..., :30]), first.detach())
    silent = torch.zeros_like(MASK)
    assert bool(torch.view_as_real(online(SPEC, MASK, silent)).isfinite().all())
    online.reset()
    for _ in range(2):  # a mask that never hears anything
        assert bool(torch.view_as_real(online(SPEC, MASK, silent)).isfinite().all())


def test_the_smaller_modules():
    theirs = torchaudio.transforms
    close(t.PSD(True)(SPEC, SOME), theirs.PSD(True)(SPEC, SOME))
    close(t.SoudenMVDR()(SPEC, PSD_S, PSD_N, 1), theirs.SoudenMVDR()(SPEC, PSD_S, PSD_N, 1))
    rtf = noise(BATCH, BINS, C, seed=3)
    close(t.RTFMVDR()(SPEC, rtf, PSD_N, 1), theirs.RTFMVDR()(SPEC, rtf, PSD_N, 1))
    logits = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(3))
    lengths = (torch.tensor([[1, 2, 3], [4, 1, 2]]).int(), torch.tensor([5, 5]).int())
    given = (logits, lengths[0], lengths[1], torch.tensor([3, 3]).int())
    torch.testing.assert_close(t.RNNTLoss(blank=0)(*given), theirs.RNNTLoss(blank=0)(*given))


def test_a_plane_wave_comes_through_and_noise_does_not():
    """Speech from one side, an interferer from another, and some noise in each microphone."""
    hertz = torch.linspace(500, 4000, BINS).double()
    late = torch.arange(C) * 0.05 / 343  # microphones 5 cm apart in a row

    def steering(angle: float) -> torch.Tensor:
        turn = -2 * math.pi * hertz[:, None] * late * math.sin(angle)
        return torch.polar(torch.ones_like(turn), turn)  # [F, C]

    wave, other = noise(BINS, 400, seed=4), noise(BINS, 400, seed=5)
    speech = steering(0.2).T[:, :, None] * wave
    noisy = steering(-0.9).T[:, :, None] * other + 0.1 * noise(C, BINS, 400, seed=6)
    for weights in (
        F.mvdr_weights_souden(F.psd(speech), F.psd(noisy), 0),
        F.mvdr_weights_rtf(F.rtf_evd(F.psd(speech)), F.psd(noisy), 0),
        F.mvdr_weights_rtf(F.rtf_power(F.psd(speech), F.psd(noisy), 0), F.psd(noisy), 0),
    ):
        # undistorted: what the reference microphone hears of it
        heard = F.apply_beamforming(weights, speech)
        assert float((heard - speech[0]).norm() / speech[0].norm()) < 1e-2
        left = F.apply_beamforming(weights, noisy)
        assert float(left.norm() / noisy[0].norm()) < 0.25  # 12 dB less


@pytest.mark.parametrize("way", ["souden", "evd", "power"])
def test_gradients(way):
    spec = SPEC[0, :3, :2, :8].clone().requires_grad_()
    mask = MASK[0, :2, :8].clone().requires_grad_()
    hum = F.psd(noise(3, 2, 8, seed=2))

    def run(x: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        speech = F.psd(x, m)
        if way == "souden":
            weights = F.mvdr_weights_souden(speech, hum, 0)
        else:
            rtf = F.rtf_evd(speech) if way == "evd" else F.rtf_power(speech, hum, 1)
            weights = F.mvdr_weights_rtf(rtf, hum, 1)
        return F.apply_beamforming(weights, x).abs()

    assert torch.autograd.gradcheck(run, (spec, mask))


def test_single_precision():
    single = F.mvdr_weights_souden(*(v.to(torch.complex64) for v in (PSD_S, PSD_N)), 0)
    exact = F.mvdr_weights_souden(PSD_S, PSD_N, 0)
    torch.testing.assert_close(single.to(torch.complex128), exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: F.psd(SPEC.real), "complex spectrogram"),
        (lambda: F.psd(SPEC, MASK[..., :9]), "mask"),
        (lambda: F.mvdr_weights_souden(PSD_S, PSD_N[0], 0), "of one shape"),
        (lambda: F.mvdr_weights_souden(PSD_S, PSD_N, 9), "4 channels, got number 9"),
        (lambda: F.mvdr_weights_rtf(PSD_S, PSD_N), "takes a complex rtf"),
        (lambda: F.mvdr_weights_rtf(PSD_N[..., 0], PSD_N, 4), "4 channels, got number 4"),
        (lambda: F.mvdr_weights_souden(PSD_S, PSD_N, None), "or .*4., got NoneType"),
        (lambda: F.psd(None), "got NoneType"),
        (lambda: F.rtf_evd(None), "got NoneType"),
        (lambda: t.PSD(True)(SPEC, MASK), "with multi_mask a mask is"),
        (lambda: F.rtf_power(PSD_S, PSD_N, 0, 0), "n_iter is a whole number >= 1"),
        (lambda: F.rtf_evd(PSD_S.real), "complex covariances"),
        (lambda: F.apply_beamforming(PSD_S[..., 0], SPEC[:, :3]), "complex weights"),
        (lambda: t.MVDR(solution="souden"), "one of ref_channel"),
    ],
)
def test_what_is_wrong_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
