"""The data side of other people's loops: torch, Lightning, accelerate, and torch's ``DataLoader``.

The real packages. What a training has seen is compared with the order of the epoch, or with the
loop written out in plain torch.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.rows import as_list, dataset, same
from support.worker_memory import in_workers
from torch import nn
from torch.utils.data import DataLoader

from domainkit.batch import Batch
from domainkit.dataset import Dataset
from domainkit.features import Int, Label, Tensor, Text
from domainkit.loader import Loader
from domainkit.order import Permutation

# Python 3.12 warns of every fork of a process that has threads, also of torch's own
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

N, SIZE, SEED = 103, 10, 4


@pytest.fixture(scope="module")
def points(tmp_path_factory) -> Dataset:
    rng = np.random.default_rng(0)
    rows = [{"x": rng.normal(size=4).astype(np.float32), "label": i % 3} for i in range(N)]
    features = {"x": Tensor(shape=(4,)), "label": Label(names=("a", "b", "c"))}
    return dataset(tmp_path_factory.mktemp("points"), rows, features)


def loader(points: Dataset, **options: Any) -> Loader:
    return Loader(points, SIZE, shuffle=True, seed=SEED, num_threads=2, **options)


def order(epoch: int) -> list[int]:
    return Permutation(N, SEED, epoch)[np.arange(N)].tolist()


def net() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 3)


def loss_of(model: nn.Module, batch: Batch) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch["x"]), batch["label"])


@pytest.fixture(scope="module")
def plain(points) -> dict[str, torch.Tensor]:
    """The weights after two epochs of a loop in plain torch, over rows taken one by one."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(2):
        rows = order(epoch)
        for first in range(0, N, SIZE):
            samples = [points[i] for i in rows[first : first + SIZE]]
            batch = Batch(
                {
                    "x": torch.stack([s["x"] for s in samples]),
                    "label": torch.tensor([s["label"] for s in samples]),
                }
            )
            optimizer.zero_grad()
            loss_of(model, batch).backward()
            optimizer.step()
    return {name: tensor.detach() for name, tensor in model.named_parameters()}


def assert_trained(model: nn.Module, plain: dict[str, torch.Tensor]) -> None:
    for name, tensor in model.named_parameters():
        torch.testing.assert_close(tensor.detach(), plain[name], rtol=1e-6, atol=1e-7)


# -- plain torch -------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [None, 4, 11])
def test_torch(points, plain, tmp_path, stop):
    """Stopped after some batches of the first epoch, with a checkpoint, and begun anew."""
    seen: list[int] = []

    def train(stop: int | None) -> nn.Module:
        model, data = net(), loader(points)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        checkpoint = tmp_path / "checkpoint.pt"
        if checkpoint.exists():
            saved = torch.load(checkpoint, weights_only=True)
            model.load_state_dict(saved["model"])
            data.load_state_dict(saved["loader"])
        for epoch in range(data.epoch, 2):
            data.set_epoch(epoch)
            for k, batch in enumerate(data, 1):
                optimizer.zero_grad()
                loss_of(model, batch).backward()
                optimizer.step()
                seen.extend(batch.ids.tolist())
                if k == stop:
                    state = {"model": model.state_dict(), "loader": data.state_dict()}
                    torch.save(state, checkpoint)
                    return model
        return model

    if stop is not None:
        train(stop)
    assert_trained(train(None), plain)
    assert seen == order(0) + order(1)


# -- Lightning ---------------------------------------------------------------------------------

# Lightning 2.6 asks for a class that torch 2.14 wants to be rid of
OLD_NAMES = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


def flat(batches: list[list[int]]) -> list[int]:
    return list(itertools.chain.from_iterable(batches))


class PowerCutError(Exception):
    """The end of a process, as far as Lightning can see it."""


def lightning_module(seen: list[list[int]], cut: int | None = None) -> Any:
    import pytorch_lightning

    class Module(pytorch_lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def training_step(self, batch: Batch, _: int) -> torch.Tensor:
            if self.global_step == cut:
                raise PowerCutError
            seen.append(batch.ids.tolist())
            return loss_of(self.net, batch)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.net.parameters(), lr=0.1)

    return Module()


def trainer(**options: Any) -> Any:
    import pytorch_lightning

    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    return pytorch_lightning.Trainer(accelerator="cpu", max_epochs=2, **quiet, **options)


@OLD_NAMES
def test_lightning(points, plain):
    seen: list[list[int]] = []
    module = lightning_module(seen)
    trainer(enable_checkpointing=False).fit(module, loader(points))
    assert flat(seen) == order(0) + order(1)
    assert_trained(module.net, plain)


@OLD_NAMES
@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists:UserWarning")
@pytest.mark.parametrize("saved", [4, 11, 14])  # steps; 11 are an epoch
def test_lightning_goes_on_in_the_middle_of_an_epoch(points, plain, tmp_path, saved):
    """Its checkpoint holds the loader's state, since that has state_dict and load_state_dict."""
    from pytorch_lightning.callbacks import ModelCheckpoint

    seen: list[list[int]] = []
    saving = ModelCheckpoint(tmp_path, filename="saved", every_n_train_steps=saved)
    with pytest.raises(PowerCutError):
        trainer(callbacks=[saving]).fit(lightning_module(seen, cut=saved + 2), loader(points))
    assert len(seen) == saved + 2
    del seen[saved:]
    module = lightning_module(seen)
    again = trainer(callbacks=[saving])
    again.fit(module, loader(points), ckpt_path=tmp_path / "saved.ckpt", weights_only=False)
    assert flat(seen) == order(0) + order(1)
    assert_trained(module.net, plain)


# -- accelerate --------------------------------------------------------------------------------


def test_accelerate(points, plain, tmp_path):
    """Stopped in the middle of the first epoch: the loader is one of the things it saves."""
    from accelerate import Accelerator

    seen: list[int] = []

    def train(stop: int | None, resume: bool) -> nn.Module:
        accelerator = Accelerator(cpu=True)
        model, data = net(), loader(points, device=accelerator.device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model, optimizer = accelerator.prepare(model, optimizer)
        accelerator.register_for_checkpointing(data)
        if resume:
            accelerator.load_state(str(tmp_path / "state"))
        for epoch in range(data.epoch, 2):
            data.set_epoch(epoch)
            for k, batch in enumerate(data, 1):
                optimizer.zero_grad()
                accelerator.backward(loss_of(model, batch))
                optimizer.step()
                seen.extend(batch.ids.tolist())
                if k == stop:
                    accelerator.save_state(str(tmp_path / "state"))
                    return model
        return accelerator.unwrap_model(model)

    train(stop=4, resume=False)
    assert_trained(train(stop=None, resume=True), plain)
    assert seen == order(0) + order(1)


# -- torch's DataLoader --------------------------------------------------------------------------

WORKERS = [(0, None), (2, "fork"), (2, "spawn")]


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Dataset:
    return dataset(tmp_path_factory.mktemp("rows"), 53)


@pytest.mark.parametrize(("workers", "start_method"), WORKERS)
def test_a_dataset_in_torchs_data_loader(rows, workers, start_method):
    """The same samples in the same order, from a view too, as Python's own indexing gives."""
    view = rows[1::2]
    batches = DataLoader(
        view,
        batch_size=8,
        num_workers=workers,
        multiprocessing_context=start_method,
        collate_fn=list,
    )
    samples = list(itertools.chain.from_iterable(batches))
    assert [sample["number"] for sample in samples] == as_list(view)
    assert all(same(sample, view[i]) for i, sample in enumerate(samples))


def million(n: int) -> Iterator[dict[str, Any]]:
    return ({"number": i, "text": f"row {i}"} for i in range(n))


@pytest.fixture(scope="module")
def small_and_large(tmp_path_factory) -> tuple[Dataset, Dataset]:
    features = {"number": Int(), "text": Text()}
    folder = tmp_path_factory.mktemp("million")
    small, large = (dataset(folder, million(n), features) for n in (1_000, 1_000_000))
    for path in folder.rglob("*.arrow"):
        with path.open("rb") as file:  # what is not on disk yet would count as somebody's own
            os.fsync(file.fileno())
    return small, large


MB = 1_000_000
NEEDED = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="Linux alone tells what memory is shared"
)


@NEEDED
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_a_million_rows_cost_a_worker_nothing(small_and_large, start_method):
    """Against a thousand rows, in the same kind of worker that reads as many samples."""
    small, large = small_and_large
    added = min(in_workers(large, start_method)) - min(in_workers(small, start_method))
    assert added < 8 * MB  # the record batches it has opened; all rows have 40 MB


@NEEDED
def test_a_million_tuples_would_be_seen():
    """The list of tuples that datasets often hold: each worker gets its own copy by and by."""
    small, large = ([(i, f"row {i}") for i in range(n)] for n in (1_000, 1_000_000))
    reads = 200_000
    added = min(in_workers(large, "fork", reads)) - min(in_workers(small, "fork", reads))
    assert added > 50 * MB  # a worker copies every page of which it has looked at a row
