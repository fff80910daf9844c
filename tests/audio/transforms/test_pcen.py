"""PCEN against librosa and closed forms, and in batches."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, features

from domainkit.audio.transforms import PCEN
from domainkit.errors import TransformError

SETTINGS = [
    {},
    {"gain": 0.8, "bias": 10.0, "power": 0.25, "time_constant": 0.06},
    {"bias": 0.0},
    {"power": 0.0},
    {"b": 0.3, "eps": 1e-3, "sample_rate": 16000, "hop_length": 160},
]


def energies(dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    return [(2 * x).exp().to(dtype) for x in features()]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_numbers_are_librosas(setting):
    names = {"sample_rate": "sr"}
    for scale in (1.0, 2.0**31):
        x = scale * energies()[0]
        given = {names.get(k, k): v for k, v in setting.items()}
        truth = librosa.pcen(x.T.numpy(), **given).T
        np.testing.assert_allclose(PCEN(**setting)(x[None])[0].numpy(), truth, rtol=1e-9, atol=1e-9)
        single = PCEN(**setting)(x[None].float())[0].numpy()
        assert np.abs(single - truth).max() < 1e-4 * np.abs(truth).max()


@pytest.mark.parametrize("start", ["one", "first"])
@pytest.mark.parametrize("device", DEVICES)
def test_same_result_in_any_batch(start, device):
    # elsewhere the recursion is run in blocks
    atol = 1e-6 if device == "cpu" else 1e-4
    assert_batch_invariant(PCEN(start=start), energies(torch.float32), atol=atol, device=device)


def test_first_is_librosas_with_its_state_set():
    x = energies()[0]
    s = PCEN().smoothing
    state = (1 - s) * x[:1].T.numpy()
    truth = librosa.pcen(x.T.numpy(), zi=state).T
    np.testing.assert_allclose(PCEN(start="first")(x[None])[0].numpy(), truth, rtol=1e-9, atol=1e-9)


def test_steady_energy_from_its_own_first_frame_stays():
    x = torch.full((1, 50, 3), 1e5, dtype=torch.float64)
    done = PCEN(start="first")(x)
    value = (1e5 / (1e-6 + 1e5) ** 0.98 + 2) ** 0.5 - 2**0.5
    torch.testing.assert_close(done, torch.full_like(done, value))
    louder = PCEN(start="first", gain=1.0)(x * 1000)  # with a gain of 1 loudness is gone
    torch.testing.assert_close(louder, PCEN(start="first", gain=1.0)(x))


@pytest.mark.parametrize("setting", [*SETTINGS, {"start": "first"}], ids=str)
def test_gradients(setting):
    x = torch.rand(2, 6, 3, dtype=torch.float64) + 0.1
    assert torch.autograd.gradcheck(PCEN(**setting), (x.requires_grad_(),))
    silence = torch.zeros(1, 5, 2, requires_grad=True)
    PCEN(**setting)(silence).sum().backward()
    assert bool(silence.grad.isfinite().all())


def test_nothing_in_nothing_out():
    assert PCEN()(torch.zeros(2, 0, 5)).shape == (2, 0, 5)
    assert PCEN()(torch.zeros(0, 4, 5)).shape == (0, 4, 5)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: PCEN(eps=0.0), "eps is above 0, got 0.0"),
        (lambda: PCEN(gain=-1.0), "gain is at least 0"),
        (lambda: PCEN(b=2.0), r"b in \(0, 1\], got 2.0"),
        (lambda: PCEN(start="zero"), "start is 'first' or 'one'"),
        (lambda: PCEN()(torch.zeros(2, 3)), r"takes features \[B, T, M\]"),
    ],
)
def test_wrong_input_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
