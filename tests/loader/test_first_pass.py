"""A pipeline's first window is done to each picture as it is decoded: same batches, less memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.media import picture
from support.rows import dataset

from domainkit.assembly import Assembly
from domainkit.batch import Batch
from domainkit.dataset import Dataset
from domainkit.draws import Draws
from domainkit.features import Image, Int, Mask
from domainkit.loader import Loader
from domainkit.ragged import Ragged
from domainkit.vision import transforms as T
from domainkit.vision.transforms._window_pass import WindowPass

N, SEED, EPOCH = 23, 11, 0
FINISH = [T.ToDtype("float32", scale=True), T.Normalize(mean=[0.5], std=[0.25])]
PIPELINES = {
    "train": [T.RandomResizedCrop(24), T.RandomHorizontalFlip(), *FINISH],
    "train, mirrored both ways": [
        T.RandomVerticalFlip(),
        T.RandomResizedCrop((20, 28), interpolation="bicubic"),
        T.RandomHorizontalFlip(),
    ],
    "eval": [T.Resize(32), T.CenterCrop(24), *FINISH],
    "sizes of their own": [T.Resize(16), T.Grayscale()],
    "a crop": [T.RandomCrop(20), T.ColorJitter(0.4, 0.4, 0.4, 0.1)],
    "mixed": [T.RandomResizedCrop(16), T.ToDtype("float32", scale=True), T.MixUp(num_classes=N)],
}
WAYS = ({"num_threads": 0}, {"num_threads": 3}, {"num_processes": 1})


def sizes(i: int) -> dict[str, int]:
    return {"height": 40 + 5 * (i % 4), "width": 36 + 7 * (i % 3)}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Dataset:
    rows = (
        {"image": picture(i, "JPEG" if i % 3 else "PNG", **sizes(i)), "label": i} for i in range(N)
    )
    folder = tmp_path_factory.mktemp("pictures")
    return dataset(folder, rows, {"image": Image(), "label": Int()})


def by_the_batch(ds: Dataset, pipeline: Any, rows: list[int]) -> Batch:
    """The pipeline over whole decoded batches, step by step."""
    draws = Draws(seed=SEED, epoch=EPOCH, ids=torch.tensor(rows))
    return T.Compose(pipeline.steps, fuse=False)(ds.batch(rows), draws)


def same(mine: Any, truth: Any) -> None:
    assert type(mine) is type(truth)
    if isinstance(truth, Ragged):
        assert mine.host_shapes.tolist() == truth.host_shapes.tolist()
        pairs = zip(mine, truth, strict=True)
    else:
        pairs = iter([(mine, truth)])
    for a, b in pairs:
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=0, atol=0 if a.dtype == torch.uint8 else 1e-5)


@pytest.mark.parametrize("how", WAYS, ids=lambda how: next(iter(how)))
@pytest.mark.parametrize("name", PIPELINES)
def test_batches_are_those_of_the_steps(pictures, name, how):
    if "num_processes" in how and name not in ("train", "sizes of their own"):
        pytest.skip("a process takes seconds to start")
    pipeline = T.Compose(PIPELINES[name])
    with Loader(pictures, 6, seed=SEED, transform=pipeline, **how) as loader:
        batches = list(loader)
    assert [len(b.ids) for b in batches] == [6, 6, 6, 5]
    for batch in batches:
        truth = by_the_batch(pictures, pipeline, batch.ids.tolist())
        assert list(batch) == list(truth)
        same(batch["image"], truth["image"])


def test_no_batch_of_whole_pictures_is_made(pictures, monkeypatch):
    def never(*given: Any) -> None:
        raise AssertionError("the windows were cut from a batch")

    seen: list[int] = []
    allocate = Assembly.allocate

    def watched(self: Assembly) -> None:
        seen.append(self.nbytes)
        allocate(self)

    monkeypatch.setattr(WindowPass, "run", never)
    monkeypatch.setattr(Assembly, "allocate", watched)
    pipeline = T.Compose(PIPELINES["train"])
    assert len(list(Loader(pictures, 6, transform=pipeline, num_threads=2))) == 4
    assert sorted(seen) == [5 * 3 * 24 * 24, *[6 * 3 * 24 * 24] * 3]


def test_time_is_told_by_stage(pictures):
    loader = Loader(pictures, 6, transform=T.Compose(PIPELINES["train"]), num_threads=2)
    list(loader)
    stages = loader.stats().stages
    spans = [s for s in loader.recorder.spans() if s.stage == "transform"]
    assert sum(s.samples == 0 for s in spans) == N  # each window
    assert stages["decode"].samples == stages["transform"].samples == N
    decodes = {(s.thread, s.end_ns) for s in loader.recorder.spans() if s.stage == "decode"}
    assert {(s.thread, s.start_ns) for s in spans if s.samples == 0} <= decodes


def test_a_bad_picture_leaves_the_others_their_draws(tmp_path):
    whole = [picture(i, "JPEG", **sizes(i)) for i in range(6)]
    spoilt = {1: whole[1][: len(whole[1]) // 2], 4: b"no picture"}
    rows = ({"image": spoilt.get(i, whole[i]), "label": i} for i in range(6))
    ds = dataset(tmp_path, rows, {"image": Image(), "label": Int()})
    pipeline = T.Compose(PIPELINES["train"])
    loader = Loader(ds, 6, seed=SEED, transform=pipeline, on_error="skip", num_threads=2)
    (batch,) = loader
    assert batch.ids.tolist() == batch["label"].tolist() == [0, 2, 3, 5]
    same(batch["image"], by_the_batch(ds, pipeline, [0, 2, 3, 5])["image"])


def test_a_header_that_promises_too_much_costs_its_sample_only(pictures, monkeypatch):
    """Where there is no memory for the batch at once, it is made as a list and windowed then."""

    def none_left(self: Any, memory: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("domainkit.assembly._Buffer.allocate", none_left)
    pipeline = T.Compose(PIPELINES["train"])
    for batch in Loader(pictures, 6, seed=SEED, transform=pipeline, num_threads=2):
        same(batch["image"], by_the_batch(pictures, pipeline, batch.ids.tolist())["image"])


def test_targets_follow_so_the_batch_is_needed(tmp_path):
    rows = (
        {"image": picture(i, "PNG", **sizes(i)), "mask": picture(i, "PNG", channels=1, **sizes(i))}
        for i in range(5)
    )
    ds = dataset(tmp_path, rows, {"image": Image(), "mask": Mask()})
    pipeline = T.Compose(PIPELINES["train"])
    (batch,) = Loader(ds, 5, seed=SEED, transform=pipeline, num_threads=2)
    truth = by_the_batch(ds, pipeline, list(range(5)))
    same(batch["image"], truth["image"])
    same(batch["mask"], truth["mask"])
    assert batch["mask"].shape[-2:] == (24, 24)


def test_what_a_collate_function_makes_is_left_to_the_steps(pictures):
    pipeline = T.Compose([T.CenterCrop(24)])
    squares = {"image": lambda values: torch.stack([v[:, :36, :36] for v in values])}
    for batch in Loader(pictures, 6, transform=pipeline, collate=squares, num_threads=2):
        whole = [pictures[i]["image"][:, 6:30, 6:30] for i in batch.ids.tolist()]
        assert torch.equal(batch["image"], torch.stack(whole))


class Mirrored(T.Compose):
    """A pipeline that does something of its own after its steps."""

    def __call__(self, batch: Any, draws: Draws | None = None) -> Any:
        done = super().__call__(batch, draws)
        done["image"] = done["image"].flip(-1)
        return done


def test_a_pipeline_of_ones_own_is_called(pictures):
    for steps in (PIPELINES["train"], [T.RandomResizedCrop(24)], [T.CenterCrop(24)]):
        mine = list(Loader(pictures, 6, seed=SEED, transform=Mirrored(steps), num_threads=2))
        truth = list(Loader(pictures, 6, seed=SEED, transform=T.Compose(steps), num_threads=2))
        for a, b in zip(mine, truth, strict=True):
            same(a["image"], b["image"].flip(-1))


def test_a_window_beyond_its_picture_is_told_as_by_the_step(pictures):
    pipeline = T.Compose([T.RandomCrop(400), T.RandomHorizontalFlip()])
    with pytest.raises(Exception, match="RandomCrop") as alone:
        pipeline(pictures.batch([0, 1]))
    with pytest.raises(type(alone.value), match="RandomCrop"):
        list(Loader(pictures, 6, transform=pipeline, num_threads=2))


def test_memory_for_decoding_is_used_again():
    from domainkit.assembly import _scratch

    first = _scratch(100, torch.uint8)
    again = _scratch(80, torch.uint8)
    assert first.data_ptr() == again.data_ptr() and again.shape == (80,)
    assert _scratch(10, torch.float32).dtype == torch.float32
    assert np.shares_memory(first.numpy(), again.numpy())
