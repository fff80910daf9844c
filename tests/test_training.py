"""The training loop against a loop written out here, and the accuracy against counting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from support.ranks import on_ranks
from support.rows import dataset
from torch import nn

import domainkit as dk
from domainkit.dataset import Dataset
from domainkit.features import Label, Tensor
from domainkit.loader import Loader
from domainkit.training import evaluate, evaluating, fit

N, CLASSES = 90, 3


@pytest.fixture(scope="module")
def ds(tmp_path_factory) -> Dataset:
    """Three clouds of points that a line can tell apart."""
    rng = np.random.default_rng(0)
    centres = np.array([[4, 0], [-4, 1], [0, -5]])
    rows = [
        {"x": (centres[i % 3] + rng.normal(size=2)).astype(np.float32), "label": i % 3}
        for i in range(N)
    ]
    features = {"x": Tensor(shape=(2,)), "label": Label(names=("a", "b", "c"))}
    return dataset(tmp_path_factory.mktemp("training"), rows, features)


def model() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(2, CLASSES)


def by_hand(net: nn.Linear, ds: Dataset, optimizer: torch.optim.Optimizer, epochs: int, lr: float):
    """The docstring of ``fit`` in code: warm-up over a tenth of the steps, then a cosine to 0."""
    loader = Loader(ds, 16, shuffle=True, seed=2)
    total = epochs * math.ceil(N / 16)
    rising = max(1, round(0.1 * total))
    losses, step = [], 0
    for _ in range(epochs):
        summed = 0.0
        for batch in loader:
            if step < rising:
                rate = lr * (step + 1) / rising
            else:
                rate = lr * (1 + math.cos(math.pi * (step - rising) / (total - rising))) / 2
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = nn.functional.cross_entropy(net(batch["x"]), batch["label"], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            summed += loss.item() * len(batch["label"])
            step += 1
        losses.append(summed / N)
    return losses


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_fit_is_the_loop_it_says(ds, name):
    losses = []
    trained = model()
    result = fit(
        trained,
        Loader(ds, 16, shuffle=True, seed=2),
        field="x",
        epochs=4,
        lr=0.05,
        weight_decay=0.02,
        label_smoothing=0.1,
        optimizer=name,
        after_epoch=lambda epoch, loss: losses.append((epoch, loss)),
    )
    expected = model()
    if name == "adamw":
        optimizer = torch.optim.AdamW(expected.parameters(), weight_decay=0.02)
    else:
        optimizer = torch.optim.SGD(expected.parameters(), momentum=0.9, weight_decay=0.02)
    expected_losses = by_hand(expected, ds, optimizer, 4, 0.05)
    assert result is trained
    assert not trained.training
    torch.testing.assert_close(trained.weight, expected.weight)
    torch.testing.assert_close(trained.bias, expected.bias)
    assert [epoch for epoch, _ in losses] == [0, 1, 2, 3]
    assert [loss for _, loss in losses] == pytest.approx(expected_losses, rel=1e-5)


def test_fit_learns_and_repeats_itself(ds):
    def run(num_threads: int) -> nn.Module:
        loader = Loader(ds, 16, shuffle=True, num_threads=num_threads)
        return fit(model(), loader, field="x", epochs=5, lr=0.1)

    first, second = run(0), run(4)
    assert torch.equal(first.weight, second.weight)
    assert (
        evaluate(first, Loader(ds, 32), field="x")
        >= 0.98
        > evaluate(model(), Loader(ds, 32), field="x")
    )


def test_an_unknown_optimizer_is_refused(ds):
    with pytest.raises(ValueError, match="one of adamw, sgd, got 'adam'"):
        fit(model(), Loader(ds, 16), field="x", optimizer="adam")


def test_nothing_to_train_on(ds):
    before = model()
    after = fit(model(), Loader(ds[:0], 16), field="x", epochs=2)
    assert torch.equal(before.weight, after.weight)
    assert evaluate(model(), Loader(ds[:0], 16), field="x") == 0


@pytest.mark.parametrize("batch_size", [1, 7, 90, 200])
def test_evaluate_counts(ds, batch_size):
    net = model()
    with torch.no_grad():
        inputs = torch.stack([row["x"] for row in ds])
        expected = (net(inputs).argmax(1).numpy() == ds["label"]).mean()
    got = dk.evaluate(net, Loader(ds, batch_size, shuffle=True), field="x")
    assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_evaluate_gives_the_mode_back_and_keeps_no_gradients(ds, training):
    seen = []

    class Watched(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((self.training, torch.is_grad_enabled()))
            return super().forward(x)

    net = Watched(2, CLASSES).train(training)
    evaluate(net, Loader(ds, 45), field="x")
    assert seen == [(False, False)] * 2
    assert net.training == training


def test_another_target(ds):
    class Answer(nn.Module):
        def forward(self, label: torch.Tensor) -> torch.Tensor:
            return nn.functional.one_hot(label, CLASSES).float()

    assert evaluate(Answer(), Loader(ds, 45), field="label", target="label") == 1


class Frozen(nn.Module):
    """A trained layer behind a batch norm that stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.line = nn.Linear(2, CLASSES)
        self.train()
        self.norm.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.isnan().any():
            raise ArithmeticError("not a number")
        return self.line(self.norm(x))

    def modes(self) -> list[bool]:
        return [module.training for module in self.modules()]


def test_evaluate_leaves_each_module_in_its_own_mode(ds):
    net = Frozen()
    before = net.modes()
    assert before == [True, False, True]
    evaluate(net, Loader(ds, 45), field="x")
    assert net.modes() == before


def test_evaluate_gives_the_modes_back_after_an_error(ds):
    net = Frozen()
    before = net.modes()
    with pytest.raises(ArithmeticError):
        evaluate(
            net,
            Loader(ds, 45, transform=lambda batch, draws: {**batch, "x": batch["x"] * math.nan}),
            field="x",
        )
    assert net.modes() == before
    with pytest.raises(KeyError), evaluating(net):
        assert net.modes() == [False] * 3
        raise KeyError
    assert net.modes() == before


def test_evaluate_refuses_samples_that_would_count_twice(ds):
    with pytest.raises(ValueError, match="count twice"):
        evaluate(model(), Loader(ds, 40, last="pad"), field="x")
    with pytest.raises(ValueError, match="count twice"):
        evaluate(model(), Loader(ds, 45, last="pad", rank=0, world_size=4), field="x")
    whole = evaluate(model(), Loader(ds, 45, last="pad"), field="x")
    assert whole == evaluate(model(), Loader(ds, 40), field="x")


SIZES = [(90, 7), (83, 9), (1, 4), (2, 1), (10, 3), (0, 5)]  # rows, batch size


@pytest.fixture(scope="module")
def ranks(ds) -> list[Any]:
    """What each of three processes had to tell."""
    return on_ranks("support.rank_jobs:evaluate_and_train", 3, ds, SIZES, 5, 3)


def test_evaluate_counts_every_sample_once_over_the_ranks(ds, ranks):
    told = [evaluated for evaluated, _ in ranks]
    torch.manual_seed(1)
    net = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, CLASSES)).eval()
    with torch.no_grad():
        right = net(torch.stack([row["x"] for row in ds])).argmax(1).numpy() == ds["label"]
    for k, (rows, _) in enumerate(SIZES):
        expected = right[:rows].mean() if rows else 0
        assert [rank[k][1] for rank in told] == pytest.approx([expected] * 3, abs=1e-12)
    batches = [[rank[k][0] for rank in told] for k in range(len(SIZES))]
    assert [1, 0, 0] in batches and [1, 1, 0] in batches and [0, 0, 0] in batches
    assert [2, 1, 1] in batches  # the ranks would wait for each other if they spoke in between
    for rank in told:
        assert "gives parts to 2 ranks, torch.distributed has 3" in rank[-2]
        assert "gives parts to 5 ranks" in rank[-1]


def test_fit_trains_one_model_on_several_ranks(ds, ranks):
    """DDP's mean over the ranks' parts is the mean over the batch that they make together."""
    first, second, third = (weights for _, weights in ranks)
    alone = Loader(ds, 15, shuffle=True, seed=2, last="drop")
    trained = fit(model(), alone, field="x", epochs=3, lr=0.05)
    for name, tensor in trained.named_parameters():
        assert torch.equal(first[name], second[name]) and torch.equal(first[name], third[name])
        torch.testing.assert_close(first[name], tensor.detach(), rtol=1e-5, atol=1e-6)


def test_without_other_processes_evaluate_counts_what_it_is_given(ds):
    shares = [
        evaluate(model(), Loader(ds, 15, rank=rank, world_size=2), field="x") for rank in range(2)
    ]
    assert sum(shares) / 2 == pytest.approx(evaluate(model(), Loader(ds, 15), field="x"))
    assert shares[0] != shares[1]
