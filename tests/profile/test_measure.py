"""Measuring: against a clock that the loader and the step move, then for real."""

from __future__ import annotations

import itertools
import types
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import domainkit as dk
from domainkit.batch import Batch
from domainkit.loader.recorder import Recorder
from domainkit.profile import eval_step, measure, train_step
from domainkit.profile import measure as measure_function
from domainkit.profile.measure import CACHED

SIZE = 32


class Clock:
    """In the place of the module ``time``: moves only when told."""

    def __init__(self) -> None:
        self.now = 0  # ns
        self.cpu = 0.0

    def pass_(self, ms: float, cores: float = 1.0) -> None:
        self.now += round(ms * 1e6)
        self.cpu += cores * ms / 1e3

    def perf_counter_ns(self) -> int:
        return self.now

    def perf_counter(self) -> float:
        return self.now / 1e9

    def process_time(self) -> float:
        return self.cpu


class TimedLoader:
    """A loader without threads: each batch takes ``ms``, in epochs of ten batches."""

    def __init__(self, clock: Clock, ms: float, cores: float = 1.0, batches: int = 10) -> None:
        self.clock, self.ms, self.cores, self.batches = clock, ms, cores, batches
        self.recorder = Recorder()
        self.dataset = types.SimpleNamespace(name="timed", __len__=lambda: 0)
        self.batch_size, self.num_threads, self.prefetch = SIZE, 1, 2
        self.device, self.last = None, "short"
        self.loaded: list[Any] = []
        self.made = 0

    def state_dict(self) -> dict[str, Any]:
        return {"made": self.made}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.loaded.append(state)

    def stats(self) -> Any:
        return self.recorder.stats()

    def __iter__(self) -> Any:
        for number in range(self.batches):
            start = self.clock.now
            self.clock.pass_(self.ms, self.cores)
            self.made += 1
            self.recorder.add("wait", start, self.clock.now, SIZE, number)
            came = self.clock.now
            yield Batch({"x": torch.zeros(SIZE, 1)}, ids=torch.arange(SIZE))
            self.recorder.add("step", came, self.clock.now, SIZE, number)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    import sys

    clock = Clock()
    monkeypatch.setattr(sys.modules["domainkit.profile.measure"], "time", clock)
    return clock


def test_the_three_rates(clock: Clock) -> None:
    loader = TimedLoader(clock, ms=2.0, cores=1.5)
    found = measure(loader, lambda batch: clock.pass_(6.0), seconds=1.0)  # type: ignore[arg-type]
    assert found.input_rate == pytest.approx(SIZE / 2e-3)
    assert found.model_rate == pytest.approx(SIZE / 6e-3)
    assert found.rate == pytest.approx(SIZE / 8e-3)  # nothing here runs side by side
    assert found.input_cores == pytest.approx(1.5)
    assert found.stats.stall == pytest.approx(2 / 8, rel=0.02)
    assert found.title == "timed" and loader.loaded == [{"made": 0}]


def test_only_the_loop_is_in_the_statistics(clock: Clock) -> None:
    loader = TimedLoader(clock, ms=2.0)
    found = measure(loader, lambda batch: clock.pass_(6.0), seconds=0.8)  # type: ignore[arg-type]
    assert found.stats.stages["wait"].spans in (100, 101)  # of 8 ms each
    assert found.stats.seconds == pytest.approx(0.8, abs=0.01)
    assert {span.stage for span in found.spans} == {"wait", "step"}


def test_a_drift_of_the_machine_hits_all_three_alike(clock: Clock) -> None:
    loader = TimedLoader(clock, ms=4.0)
    began = clock.now

    def slower() -> float:  # the machine loses half of its speed in ten seconds
        return 1 + (clock.now - began) / 10e9

    made = TimedLoader.__iter__

    def drifting(self: TimedLoader) -> Any:
        batches = made(self)
        while True:
            self.ms = 4.0 * slower()
            if (batch := next(batches, None)) is None:
                return
            yield batch

    step = lambda batch: clock.pass_(4.0 * slower())  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TimedLoader, "__iter__", drifting)
        found = measure(loader, step, seconds=2.0)  # type: ignore[arg-type]
    assert found.model_rate is not None
    assert found.input_rate / found.model_rate == pytest.approx(1.0, abs=0.03)
    assert 2 * found.rate / found.model_rate == pytest.approx(1.0, abs=0.03)


def test_the_loader_alone(clock: Clock) -> None:
    found = measure(TimedLoader(clock, ms=5.0), seconds=1.0)  # type: ignore[arg-type]
    assert found.rate == found.input_rate == pytest.approx(SIZE / 5e-3)
    assert found.model_rate is None and list(found.rates) == ["the loader alone"]


def test_a_few_batches_however_slow(clock: Clock) -> None:
    loader = TimedLoader(clock, ms=10_000.0)
    found = measure(loader, lambda batch: clock.pass_(1.0), seconds=0.1)  # type: ignore[arg-type]
    assert found.input_rate == pytest.approx(SIZE / 10.0)
    assert loader.made < 40


def test_what_is_replayed(clock: Clock) -> None:
    seen: list[int] = []

    def step(batch: Batch) -> None:
        seen.append(id(batch["x"]))
        clock.pass_(1.0)

    measure(TimedLoader(clock, ms=1.0), step, seconds=0.1)  # type: ignore[arg-type]
    often = [key for key, group in itertools.groupby(sorted(seen)) if len(list(group)) > 5]
    assert len(often) >= CACHED


def test_a_loader_without_a_batch(clock: Clock) -> None:
    with pytest.raises(ValueError, match=r"no batch: .* batch_size 32"):
        loader = TimedLoader(clock, ms=1.0, batches=0)
        loader.dataset = []  # type: ignore[assignment]
        measure(loader)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_that_is_none(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds must be positive"):
        measure_function(None, seconds=seconds)  # type: ignore[arg-type]


# -- for real ----------------------------------------------------------------------------------


def fashion(**args: Any) -> dk.Loader:
    ds = dk.load_dataset("vision/fashion-mnist-mini", "test")
    return dk.Loader(ds, 50, shuffle=True, seed=3, num_threads=1, **args)


def test_a_real_loop() -> None:
    loader = fashion(transform="vision/fashion-mnist-eval-1")
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    found = measure(loader, train_step(model, field="image"), seconds=0.1)
    assert found.model_rate is not None and min(found.rates.values()) > 0
    for name in ("read", "place", "transform", "wait", "step"):  # raw pixels are not decoded
        assert found.stats.stages[name].ms_per_sample > 0, name
    assert 0 <= found.stats.stall <= 1 and found.recorder_share < 0.1
    assert (found.device, found.batch_size, found.num_threads) == ("cpu", 50, 1)
    assert found.verdict.line in repr(found) and "vision/fashion-mnist-mini, test" in repr(found)


def test_the_loader_goes_on_as_if_nothing_had_been() -> None:
    def ids(loader: dk.Loader, count: int) -> list[list[int]]:
        return [b.ids.tolist() for b in itertools.islice(loader, count)]

    plain, measured = fashion(), fashion()
    measure(measured, lambda batch: None, seconds=0.05)
    assert measured.state_dict() == plain.state_dict()
    assert ids(measured, 5) == ids(plain, 5)


def test_an_error_of_the_step_comes_through_and_the_loader_stands_where_it_stood() -> None:
    loader, before = fashion(), fashion().state_dict()

    def step(batch: Batch) -> None:
        raise ArithmeticError("mine")

    with pytest.raises(ArithmeticError, match="mine"):
        measure(loader, step)
    assert loader.state_dict() == before


# -- steps -------------------------------------------------------------------------------------


def batch(classes: int = 3) -> Batch:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((6, 4), dtype=np.float32))
    return Batch({"x": x, "label": torch.arange(6) % classes})


def test_a_training_step_does_all_but_change_the_weights() -> None:
    model = nn.Linear(4, 3).eval()
    before = [p.clone() for p in model.parameters()]
    step = train_step(model, field="x")
    step(batch())
    step(batch())
    assert model.training
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    mine = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    nn.functional.cross_entropy(model(batch()["x"]), batch()["label"]).backward()
    theirs = [p.grad for p in model.parameters()]
    torch.testing.assert_close(mine, theirs)


def test_more_classes_than_the_model_has() -> None:
    train_step(nn.Linear(4, 2), field="x")(batch(classes=6))


@pytest.mark.parametrize(
    "wrap", [lambda t: {"out": t, "n": 1}, lambda t: (t, [t]), lambda t: t[None]]
)
def test_a_model_that_gives_no_logits(wrap: Any) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> Any:
            return wrap(self.inner(x))

    model = Model()
    train_step(model, field="x", target=None, optimizer="sgd")(batch())
    assert model.inner.weight.grad is not None


def test_a_forward_pass_is_one_without_gradients() -> None:
    seen: list[torch.Tensor] = []
    model = nn.Sequential(nn.Linear(4, 2), nn.Dropout())
    model.register_forward_hook(lambda m, args, out: seen.append(out))
    eval_step(model, field="x")(batch())
    assert not model.training and not seen[0].requires_grad


def test_an_unknown_optimizer() -> None:
    with pytest.raises(ValueError, match="adamw, sgd, got 'lion'"):
        train_step(nn.Linear(1, 1), field="x", optimizer="lion")
