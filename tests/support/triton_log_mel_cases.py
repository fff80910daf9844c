"""Cases of audio/transforms/_triton_log_mel.py; run by tests/audio/transforms."""

from __future__ import annotations

import pytest
import torch
from support.triton_cases import DEVICE

from domainkit.audio.transforms._triton_log_mel import log_mel_triton


@pytest.mark.parametrize("shape", [(0, 201), (1, 201), (33, 201), (2, 50, 129), (40, 17)])
@pytest.mark.parametrize("mels", [1, 20, 80])
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_bands(shape, mels, power):
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.randn(*shape, dtype=torch.complex64, generator=generator)
    bank = torch.rand(shape[-1], mels, generator=generator)
    bank[:, 0] = 0  # an empty band is at the floor
    got = log_mel_triton(spectrum.to(DEVICE), bank.to(DEVICE), 1e-3, power).cpu()
    bands = spectrum.to(torch.complex128).abs() ** power @ bank.double()
    want = bands.clamp(min=1e-3).log()
    assert got.shape == (*shape[:-1], mels)
    torch.testing.assert_close(got.double(), want, rtol=0, atol=2e-6)
