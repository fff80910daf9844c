"""Modules of two signals beside torchaudio's."""

from __future__ import annotations

import pytest
import torch
from support.peers import torchaudio_or_skip

from domainkit.audio import transforms as t
from domainkit.errors import TransformError


@pytest.mark.parametrize("name", ["Convolve", "FFTConvolve"])
@pytest.mark.parametrize("mode", ["full", "valid", "same"])
def test_convolutions(name, mode):
    x, y = torch.randn(2, 90, dtype=torch.float64), torch.randn(2, 7, dtype=torch.float64)
    theirs = getattr(torchaudio_or_skip().transforms, name)(mode)(x, y)
    torch.testing.assert_close(getattr(t, name)(mode)(x, y), theirs)


def test_noise():
    x, noise = torch.randn(3, 90), torch.randn(3, 90)
    snr = torch.tensor([0.0, 10.0, 20.0])
    theirs = torchaudio_or_skip().transforms.AddNoise()(x, noise, snr)
    torch.testing.assert_close(t.AddNoise()(x, noise, snr), theirs)


def test_another_mode():
    with pytest.raises(TransformError, match="FFTConvolve: mode is one of full, valid, same"):
        t.FFTConvolve("wrap")
