"""Rooms against closed forms, the images counted by hand, and pyroomacoustics where it is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from domainkit.audio import functional as F
from domainkit.errors import TransformError

ROOM = torch.tensor([5.0, 4.0, 3.0], dtype=torch.float64)
SOURCE = torch.tensor([1.2, 1.1, 1.7], dtype=torch.float64)
MICS = torch.tensor([[3.1, 2.2, 1.4], [4.0, 0.5, 1.0]], dtype=torch.float64)
WALLS = torch.tensor([0.1, 0.3, 0.2, 0.5, 0.05, 0.6], dtype=torch.float64)


def test_the_direct_path():
    """1 / (4 pi d), d / c late; a shift of whole samples has no sinc around it."""
    for samples in (100, 137):
        mic = SOURCE + torch.tensor([samples * 343.0 / 16000, 0.0, 0.0])
        h = F.simulate_rir_ism(ROOM, SOURCE, mic[None], 0, 0.2)
        wanted = torch.zeros_like(h[0])
        wanted[samples + 40] = 1 / (4 * math.pi * (samples * 343.0 / 16000))
        torch.testing.assert_close(h[0], wanted, rtol=0, atol=1e-6)


def test_images_by_hand():
    """Allen and Berkley's sum, written out, with frequencies in the place of a sinc."""
    order, length = 3, 1024
    h = F.simulate_rir_ism(ROOM, SOURCE, MICS, order, WALLS, output_length=length)
    f = torch.linspace(300.0, 6000.0, 40, dtype=torch.float64)
    times = (torch.arange(length) - 40) / 16000
    found = (h[:, None] * torch.exp(-2j * math.pi * f[:, None] * times)).sum(-1)
    wanted = torch.zeros_like(found)
    beta = (1 - WALLS).sqrt().tolist()
    spans = range(-order, order + 1)
    for u, k in itertools.product(
        itertools.product((0, 1), repeat=3), itertools.product(spans, repeat=3)
    ):
        hits = [v for a, b in zip(u, k, strict=True) for v in (abs(b - a), abs(b))]
        if sum(hits) > order:
            continue
        gain = math.prod(b**n for b, n in zip(beta, hits, strict=True))
        place = torch.stack([(1 - 2 * u[d]) * SOURCE[d] + 2 * k[d] * ROOM[d] for d in range(3)])
        far = torch.linalg.vector_norm(MICS - place, dim=1)[:, None]
        wanted += gain / (4 * math.pi * far) * torch.exp(-2j * math.pi * f * far / 343)
    assert float((found - wanted).abs().max()) < 2e-3 * float(wanted.abs().max())


def test_symmetry():
    h = F.simulate_rir_ism(ROOM, SOURCE, MICS[:1], 8, WALLS, output_length=3000)
    swapped = F.simulate_rir_ism(ROOM, MICS[0], SOURCE[None], 8, WALLS, output_length=3000)
    torch.testing.assert_close(h, swapped)  # source and microphone may change places
    mirrored = F.simulate_rir_ism(
        ROOM, ROOM - SOURCE, ROOM - MICS[:1], 8, WALLS.view(3, 2).flip(1).flatten(), 3000
    )
    torch.testing.assert_close(h, mirrored)


def test_hard_and_soft_walls():
    free = F.simulate_rir_ism(ROOM, SOURCE, MICS, 5, 1.0, output_length=900)
    direct = F.simulate_rir_ism(ROOM, SOURCE, MICS, 0, 0.0, output_length=900)
    torch.testing.assert_close(free, direct)
    # Eyring: the energy falls by 60 dB in 0.161 V / (-S ln(1 - a)) seconds
    h = F.simulate_rir_ism(ROOM, SOURCE, MICS, 24, 0.2, sample_rate=8000.0)[0]
    left = h.square().flip(0).cumsum(0).flip(0)
    level = 10 * (left / left[0]).log10()
    start, end = (int((level > v).sum()) for v in (-5.0, -25.0))
    volume, surface = 60.0, 2 * (20 + 15 + 12)
    eyring = 0.161 * volume / (-surface * math.log(0.8))
    assert abs((end - start) * 3 / 8000 / eyring - 1) < 0.35


def test_equal_bands_are_one_band():
    one = F.simulate_rir_ism(ROOM, SOURCE, MICS, 4, WALLS, output_length=1500)
    seven = F.simulate_rir_ism(ROOM, SOURCE, MICS, 4, WALLS.expand(7, 6), output_length=1500)
    torch.testing.assert_close(one, seven)


def test_each_band_is_taken_by_its_own_walls():
    bands = torch.stack([torch.zeros(6), torch.ones(6)]).double()
    centres = torch.tensor([500.0, 1000.0])
    mixed, hard, free = (
        torch.fft.rfft(F.simulate_rir_ism(ROOM, SOURCE, MICS, 4, a, 2000, center_frequency=centres))
        for a in (bands, 0.0, 1.0)
    )
    hertz = torch.linspace(0, 8000, 1001)
    for part, like in ((hertz < 400, hard), (hertz > 1200, free)):
        error = (mixed - like)[:, part].abs().mean() / like[:, part].abs().mean()
        assert float(error) < 0.1


def test_as_pyroomacoustics():
    pra = pytest.importorskip("pyroomacoustics")
    pra.constants.set("rir_hpf_enable", False)
    names = ["west", "east", "south", "north", "floor", "ceiling"]
    materials = dict(zip(names, map(pra.Material, WALLS.tolist()), strict=True))
    room = pra.ShoeBox(ROOM.tolist(), fs=16000, materials=materials, max_order=6)
    room.set_sound_speed(343.0)
    room.add_source(SOURCE.tolist())
    room.add_microphone_array(np.array(MICS).T)
    room.compute_rir()
    h = F.simulate_rir_ism(ROOM, SOURCE, MICS, 6, WALLS)
    for mine, (theirs,) in zip(h, room.rir, strict=True):
        count = min(len(mine), len(theirs))
        # theirs is 1 at a metre
        error = (mine[:count] - torch.as_tensor(theirs)[:count] / (4 * math.pi)).abs().max()
        assert float(error) < 5e-3 * float(mine.abs().max())  # of another window


def test_gradients_reach_places_and_walls():
    def run(source: torch.Tensor, walls: torch.Tensor) -> torch.Tensor:
        return F.simulate_rir_ism(ROOM, source, MICS, 1, walls, 400)[:, 100:300]

    given = (SOURCE.clone().requires_grad_(), WALLS.clone().requires_grad_())
    assert torch.autograd.gradcheck(run, given, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"source": ROOM + 1}, "source must lie inside"),
        ({"mic_array": MICS[0]}, r"a mic_array \[M, 3\], got .* and \(3,\)"),
        ({"absorption": 1.5}, r"in \[0, 1\]"),
        ({"absorption": torch.zeros(5)}, r"\[6\] or \[N, 6\], got \(5,\)"),
        ({"absorption": torch.zeros(3, 6)}, "3 bands, center_frequency 7"),
        ({"max_order": -1}, "max_order is a whole number >= 0"),
    ],
)
def test_wrong_input_is_told(given, told):
    usual = {"room": ROOM, "source": SOURCE, "mic_array": MICS, "max_order": 1, "absorption": 0.5}
    with pytest.raises(TransformError, match=told):
        F.simulate_rir_ism(**usual | given)
