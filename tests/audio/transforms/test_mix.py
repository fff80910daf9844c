"""Mixing in pairs: what is mixed with what, by which law, and that labels follow."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import beta, kstest
from support.audio_batches import DEVICES, features, waveforms

from domainkit.audio.transforms import MixUp, SpecCutMix
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

LABELS = torch.tensor([0, 1, 2, 1, 0])


def test_recordings_and_labels_have_one_share():
    x = Ragged.from_list(waveforms((900, 512, 900, 1, 37), dtype=torch.float64))
    out = MixUp(0.4, num_classes=3)({"audio": x, "label": LABELS}, Draws(1, 0, torch.arange(5)))
    assert out["audio"].host_shapes.tolist() == x.host_shapes.tolist()
    for i in range(5):
        share = float(out["label"][i, LABELS[i]])
        partner = torch.zeros_like(x[i])
        size = min(x[i].shape[1], x[i - 1].shape[1])
        partner[:, :size] = x[i - 1][:, :size]
        if LABELS[i] != LABELS[i - 1]:
            torch.testing.assert_close(
                out["audio"][i], share * x[i] + (1 - share) * partner, rtol=0, atol=1e-7
            )
    assert torch.allclose(out["label"].sum(1), torch.ones(5))


def test_shares_follow_beta():
    count = 1500
    batch = {"audio": torch.ones(count, 1, 1), "label": torch.arange(count) % 2}
    labels = MixUp(0.4, num_classes=2)(batch, Draws(0, 0, torch.arange(count)))["label"]
    shares = labels[torch.arange(count), torch.arange(count) % 2]
    assert kstest(shares.numpy(), beta(0.4, 0.4).cdf).pvalue > 0.01
    kept = MixUp(0.4, num_classes=2, p=0.3)(batch, Draws(0, 0, torch.arange(count)))["label"]
    assert abs(float((kept.max(1).values < 1).float().mean()) - 0.3) < 0.05


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("ragged", [True, False])
def test_a_box_comes_from_the_sample_before(ragged, device):
    items = features((40, 17, 40, 1, 25) if ragged else (30,) * 5, bands=8)
    x = Ragged.from_list(items, inner=1) if ragged else torch.stack(items)
    batch = {"audio": x.to(device), "label": LABELS.to(device)}
    out = SpecCutMix(1.0, 1.0, num_classes=3)(batch, Draws(6, 0, torch.arange(5)))
    boxes = 0
    for i, (mixed, own, before) in enumerate(
        zip(out["audio"], items, [items[-1], *items[:-1]], strict=True)
    ):
        changed = (mixed.cpu() != own).nonzero()
        if not len(changed):
            continue
        boxes += 1
        (t0, m0), (t1, m1) = changed.amin(0).tolist(), (changed.amax(0) + 1).tolist()
        assert torch.equal(mixed[t0:t1, m0:m1].cpu(), before[t0:t1, m0:m1])
        assert len(changed) == (t1 - t0) * (m1 - m0)
        if LABELS[i] != LABELS[i - 1]:
            share = 1 - len(changed) / own.numel()
            assert float(out["label"][i, LABELS[i]]) == pytest.approx(share, abs=1e-6)
    assert boxes >= 3


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: MixUp()(torch.zeros(2, 1, 3)), "mixes labels too"),
        (lambda: MixUp()({"audio": torch.zeros(2, 1, 3)}), "the batch has 'audio'"),
        (lambda: MixUp()({"audio": torch.zeros(2, 1, 3), "label": LABELS[:2]}), "num_classes=..."),
        (lambda: MixUp(0.0), "alpha is a number above 0"),
        (lambda: MixUp(num_classes=0), "num_classes is a whole number above 0 or None"),
        (lambda: SpecCutMix(max_bands=1.5), "at most 1"),
        (lambda: SpecCutMix(p=7), "p in"),
    ],
)
def test_what_is_wrong_is_told(call, told):
    with pytest.raises(TransformError, match=told):
        call()
