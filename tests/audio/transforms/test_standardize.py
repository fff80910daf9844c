"""Standardize, against scikit-learn's scaler and by its definition."""

from __future__ import annotations

import pytest
import torch
from sklearn.preprocessing import StandardScaler
from support.audio_batches import DEVICES, assert_batch_invariant, features

from domainkit.audio.transforms import Standardize
from domainkit.errors import TransformError
from domainkit.ragged import Ragged


@pytest.mark.parametrize("over", ["time", "sample"])
def test_equals_scikit_learn(over: str) -> None:
    items = [item.double() for item in features((40, 17, 25))]
    out = Standardize(over, eps=1e-12)(Ragged.from_list(items, inner=1))
    for item, ours in zip(items, out, strict=True):
        table = item.numpy() if over == "time" else item.reshape(-1, 1).numpy()
        truth = torch.from_numpy(StandardScaler().fit_transform(table)).reshape(item.shape)
        torch.testing.assert_close(ours, truth, rtol=0, atol=1e-10)


@pytest.mark.parametrize("over", ["time", "sample"])
@pytest.mark.parametrize("device", DEVICES)
def test_same_result_in_any_batch(over: str, device: str) -> None:
    assert_batch_invariant(Standardize(over), features(), atol=1e-5, device=device)


def test_silence_becomes_zeros() -> None:
    assert torch.equal(Standardize()(torch.full((1, 9, 4), -23.0)), torch.zeros(1, 9, 4))


def test_over_sample_keeps_the_shape_of_the_spectrum_and_removes_loudness() -> None:
    x = features((30,))[0][None]
    torch.testing.assert_close(Standardize("sample")(x + 2.0), Standardize("sample")(x))
    assert Standardize("sample")(x).mean(1).abs().max() > 0.01  # bands keep their own means
    assert Standardize("time")(x).mean(1).abs().max() < 1e-5


def test_gradient_is_finite() -> None:
    x = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Standardize("time"), (x,))
    assert torch.autograd.gradcheck(Standardize("sample"), (x,))


def test_wrong_arguments_and_empty_samples() -> None:
    with pytest.raises(TransformError, match="over is 'sample' or 'time', got 'band'"):
        Standardize("band")
    with pytest.raises(TransformError, match="eps > 0"):
        Standardize(eps=0.0)
    with pytest.raises(TransformError, match="at least one frame"):
        Standardize()(torch.zeros(2, 0, 4))
    with pytest.raises(TransformError, match="at least one frame"):
        Standardize()(Ragged.from_list([torch.zeros(3, 4), torch.zeros(0, 4)], inner=1))


@pytest.mark.parametrize("over", ["sample", "time"])
def test_constant_features_become_zeros(over: str) -> None:
    x = torch.full((1000, 3), -23.02585)
    assert float(Standardize(over=over)(x[None]).abs().max()) < 1e-3
    ragged = Ragged.from_list([x, x[:50]], inner=1)
    assert float(Standardize(over=over)(ragged).values.abs().max()) < 1e-3
