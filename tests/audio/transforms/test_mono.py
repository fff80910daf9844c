"""Mono: the mean of the channels, whatever their number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.audio_batches import DEVICES, assert_batch_invariant, waveforms

from domainkit.audio.transforms import Mono
from domainkit.ragged import Ragged


def test_is_the_mean_of_the_channels() -> None:
    x = torch.stack(waveforms([100, 100], channels=3, dtype=torch.float64))
    out = Mono()(x)
    assert out.shape == (2, 1, 100)
    np.testing.assert_allclose(out[:, 0].numpy(), x.numpy().mean(1), rtol=0, atol=1e-15)


def test_items_may_differ_in_channels() -> None:
    out = Mono()(Ragged.from_list([torch.ones(2, 5), torch.full((1, 3), 2.0)]))
    assert out.host_shapes.tolist() == [[1, 5], [1, 3]]
    assert out[0].tolist() == [[1.0] * 5] and out[1].tolist() == [[2.0] * 3]


def test_mono_stays_as_it_is() -> None:
    x = Ragged.from_list(waveforms())
    assert Mono()(x) is x


@pytest.mark.parametrize("device", DEVICES)
def test_same_result_in_any_batch(device: str) -> None:
    assert_batch_invariant(Mono(), waveforms(channels=2), atol=1e-7, device=device)
