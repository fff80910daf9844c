"""VoicePromptsCNN: the same logits alone and in a batch, gradients, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from support.audio_batches import DEVICES, features

from domainkit.audio.models import VoicePromptsCNN
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

LENGTHS = (150, 80, 33, 150, 1, 299, 150)


@pytest.fixture
def model() -> VoicePromptsCNN:
    torch.manual_seed(0)
    model = VoicePromptsCNN(bands=12)
    for step in range(3):  # batch statistics that are neither 0 nor 1
        model(Ragged.from_list(features(LENGTHS), inner=1))
        assert int(model.norms[0].num_batches_tracked) == step + 1
    return model.eval()


@pytest.mark.parametrize("device", DEVICES)
def test_same_logits_alone_and_in_any_batch(model: VoicePromptsCNN, device: str) -> None:
    items = features(LENGTHS)
    alone = torch.cat([model(item[None]) for item in items])
    assert alone.shape == (7, 5) and alone.dtype == torch.float32
    assert (alone[1:] - alone[:-1]).abs().max() > 0.01  # the input matters
    model.to(device)
    batch = Ragged.from_list(items, inner=1).to(device)
    equal = [0, 3, 6]
    dense = torch.stack([items[i] for i in equal]).to(device)
    for ours, truth in (
        (model(batch), alone),
        (model(batch[[5, 4, 1]]), alone[[5, 4, 1]]),
        (model(batch[equal]), alone[equal]),
        (model(dense), alone[equal]),
    ):
        torch.testing.assert_close(ours.cpu(), truth, rtol=0, atol=1e-4)


def test_training_statistics_ignore_padding() -> None:
    # the first layer's running mean must come from the true frames, convolved one by one
    torch.manual_seed(0)
    model = VoicePromptsCNN(bands=12, dropout=0.0).train()
    items = features((40, 11, 25))
    with torch.no_grad():
        outputs = [model.convs[0](item.T[None])[0] for item in items]
        model(Ragged.from_list(items, inner=1))
    frames = torch.cat(outputs, 1)
    momentum = model.norms[0].momentum
    torch.testing.assert_close(model.norms[0].running_mean, momentum * frames.mean(1))


def test_dense_and_ragged_train_alike() -> None:
    torch.manual_seed(0)
    model = VoicePromptsCNN(bands=12, dropout=0.0).train()
    x = torch.stack(features((30, 30)))
    torch.testing.assert_close(model(Ragged.from_list(list(x), inner=1)), model(x))


def test_gradients_reach_every_parameter_and_the_input() -> None:
    model = VoicePromptsCNN(bands=12).train()
    batch = Ragged.from_list(features((30, 7)), inner=1)
    batch.values.requires_grad_()
    torch.nn.functional.cross_entropy(model(batch), torch.tensor([0, 3])).backward()
    for tensor in (batch.values, *model.parameters()):
        assert tensor.grad is not None and bool(tensor.grad.isfinite().all())


def test_is_small() -> None:
    assert sum(p.numel() for p in VoicePromptsCNN().parameters()) < 200_000


def test_wrong_input() -> None:
    model = VoicePromptsCNN(bands=12)
    with pytest.raises(TransformError, match=r"takes features \[B, T, 12\], got \[2, 30, 40\]"):
        model(torch.zeros(2, 30, 40))
    with pytest.raises(TransformError, match=r"got \[1, 'T'\]"):
        model(Ragged.from_list([torch.zeros(800)]))
