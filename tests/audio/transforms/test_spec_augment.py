"""SpecAugment: what is masked, how wide, how often, and never beyond a sample's own end."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare
from support.audio_batches import DEVICES, assert_batch_invariant, features

from domainkit.audio.transforms import SpecAugment
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged


def draws(n: int) -> Draws:
    return Draws(seed=1, epoch=0, ids=torch.arange(n))


def masked_frames(n: int, frames: int, **arguments: object) -> torch.Tensor:
    """Which frames one time mask hides, bool [n, frames]."""
    transform = SpecAugment(freq_masks=0, time_masks=1, **arguments)  # type: ignore[arg-type]
    return transform(torch.ones(n, frames, 3), draws(n))[..., 0] == 0


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "transform",
    [
        SpecAugment(2, 5, 2, 10),
        SpecAugment(1, 99, 3, 99, time_fraction=0.3, fill=-7.5),
        SpecAugment(0, 0, 1, 8),
        SpecAugment(1, 4, 0, 0),
    ],
)
def test_same_result_in_any_batch(transform: SpecAugment, device: str) -> None:
    assert_batch_invariant(transform, features(), device=device)


def test_masks_are_whole_bands_and_whole_frames() -> None:
    x = torch.ones(50, 20, 12)
    hidden = SpecAugment(1, 6, 1, 10)(x, draws(50)) == 0
    bands, frames = hidden.all(1), hidden.all(2)
    assert torch.equal(hidden, bands[:, None, :] | frames[:, :, None])
    for masks, width in ((bands, 6), (frames, 10)):
        assert masks.sum(1).max() <= width
        starts = (masks.int().diff(dim=1, prepend=torch.zeros(50, 1)) == 1).sum(1)
        assert starts.max() <= 1  # one piece each


def test_width_and_place_are_uniform() -> None:
    n, frames, limit = 20000, 6, 4
    hidden = masked_frames(n, frames, time_width=limit)
    widths = hidden.sum(1)
    assert chisquare(torch.bincount(widths, minlength=limit + 1).numpy()).pvalue > 1e-3
    two = hidden[widths == 2].int().argmax(1)
    assert chisquare(torch.bincount(two, minlength=frames - 1).numpy()).pvalue > 1e-3


def test_a_mask_stays_inside_its_own_sample() -> None:
    lengths = [3, 50, 1, 8] * 50
    x = Ragged.from_list([torch.ones(n, 2) for n in lengths], inner=1)
    out = SpecAugment(0, 0, 1, 30, time_fraction=0.5)(x, draws(len(x)))
    for item, n in zip(out, lengths, strict=True):
        assert int((item == 0).all(1).sum()) <= min(30, n // 2)
    assert (torch.stack([item for item in out if len(item) == 50]) == 0).any(0).all()


def test_every_sample_and_every_epoch_draws_its_own() -> None:
    x = torch.ones(64, 100, 2)
    first = SpecAugment(0, 0, 1, 40)(x, draws(64))
    assert len(first[..., 0].unique(dim=0)) > 50
    other = SpecAugment(0, 0, 1, 40)(x, Draws(seed=1, epoch=1, ids=torch.arange(64)))
    assert not torch.equal(first, other)


def test_the_input_stays_as_it_was_and_gradients_skip_masked_places() -> None:
    x = torch.ones(4, 30, 8, requires_grad=True)
    out = SpecAugment(1, 4, 1, 10, fill=3.0)(x, draws(4))
    out.sum().backward()
    assert bool((x == 1).all())
    assert x.grad is not None and torch.equal(x.grad == 0, out == 3)


def test_no_masks_change_nothing() -> None:
    x = torch.randn(2, 5, 4)
    assert torch.equal(SpecAugment(0, 3, 0, 3)(x), x)
    assert torch.equal(SpecAugment(2, 0, 2, 0)(x), x)


def test_wrong_arguments() -> None:
    with pytest.raises(TransformError, match="freq_masks is a whole number >= 0, got -1"):
        SpecAugment(freq_masks=-1)
    with pytest.raises(TransformError, match=r"time_width is a whole number >= 0, got 0\.5"):
        SpecAugment(time_width=0.5)  # type: ignore[arg-type]
    with pytest.raises(TransformError, match=r"time_fraction in \[0, 1\], got 2"):
        SpecAugment(time_fraction=2.0)
