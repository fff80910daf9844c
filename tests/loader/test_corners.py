"""Corners of the loader: who moves the cursor, orders that lie, and damage met in odd places."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
import threading
from dataclasses import dataclass as frozen
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from support.media import picture
from support.rows import dataset

from domainkit.audio.codec import audio_shape, encode_wav
from domainkit.dataset import Dataset
from domainkit.errors import DomainkitError
from domainkit.features import Audio, Image, Int
from domainkit.loader import Budget, Loader
from domainkit.loader.engine import Run, _Job, _Room
from domainkit.loader.processes import _portable
from domainkit.loader.steps import Step
from domainkit.samplers import Sampler
from domainkit.store import Store


def numbers(batches: Any) -> list[int]:
    return [i for b in batches for i in b["number"].tolist()]


@pytest.fixture
def ds(tmp_path) -> Dataset:
    return dataset(tmp_path, ({"number": i} for i in range(10)), {"number": Int()})


def test_set_epoch_within_a_loop_loses_no_epoch(ds):
    loader = Loader(ds, 5, num_threads=0)
    for batch in loader:
        if 9 in batch["number"].tolist():
            loader.set_epoch(1)
    assert numbers(loader) == list(range(10)) and loader.epoch == 1


def test_a_loaded_state_stands_while_an_old_iterator_goes_on(ds):
    loader = Loader(ds, 2, num_threads=0)
    old = iter(loader)
    next(old)
    saved = loader.state_dict()
    next(old)
    loader.load_state_dict(saved)
    next(old)
    assert loader.state_dict() == saved
    assert numbers(loader) == list(range(2, 10))


@frozen(frozen=True, eq=False)
class Lying(Sampler):
    count: int

    def length(self, dataset: Any) -> int:
        return len(dataset)

    def order(self, dataset: Any, seed: int, epoch: int) -> Any:
        return np.arange(self.count)


@pytest.mark.parametrize("count", [6, 12])
def test_an_order_of_another_length_is_refused(ds, count):
    with pytest.raises(ValueError, match=f"promises 10 positions and gives an order of {count}"):
        list(Loader(ds, 5, sampler=Lying(count), num_threads=0))


def test_collate_is_not_asked_about_a_batch_of_bad_ones(tmp_path):
    files = [picture(i, "JPEG", height=6, width=9) for i in range(4)]
    rows = ({"image": b"" if i == 2 else f, "number": i} for i, f in enumerate(files))
    pictures = dataset(tmp_path, rows, {"image": Image(), "number": Int()})
    loader = Loader(pictures, 1, on_error="skip", collate={"image": torch.stack}, num_threads=0)
    assert numbers(loader) == [0, 1, 3]
    assert loader.stats().bytes_read == sum(len(f) for i, f in enumerate(files) if i != 2)


def test_a_header_that_promises_more_than_there_is_memory_is_a_bad_sample(tmp_path):
    out = io.BytesIO()
    soundfile.write(out, np.zeros((800, 1)), 8000, format="FLAC", subtype="PCM_16")
    liar = bytearray(out.getvalue())
    liar[21] |= 0x0F  # the upper bits of STREAMINFO's number of samples
    shape = audio_shape(bytes(liar))
    assert shape is not None and shape[0][1] > 1 << 35
    good = encode_wav(torch.zeros(1, 800), 8000)
    rows = ({"audio": bytes(liar) if i == 2 else good, "number": i} for i in range(6))
    sounds = dataset(tmp_path, rows, {"audio": Audio(), "number": Int()})
    assert numbers(Loader(sounds, 3, on_error="skip", num_threads=0)) == [0, 1, 3, 4, 5]


def test_a_damaged_row_is_skipped_by_a_budget_too(tmp_path):
    files = [encode_wav(torch.full((1, 80), (i + 1) / 64), 8000) for i in range(12)]
    rows = ({"audio": f, "number": i} for i, f in enumerate(files))
    folder = dataset(tmp_path, rows, {"audio": Audio(), "number": Int()})._source.folder
    part = folder / "part-00000.arrow"
    raw = bytearray(part.read_bytes())
    raw[raw.find(files[7]) + 60] ^= 1
    part.write_bytes(bytes(raw))
    loader = Loader(Dataset(Store(folder)), Budget(seconds=0.04), on_error="skip", num_threads=0)
    assert sorted(numbers(loader)) == [i for i in range(12) if i != 7]


def test_the_room_may_be_cleared_by_the_thread_that_is_in_it():
    room, inside = _Room(100), threading.Event()

    class Collected(dict):  # type: ignore[type-arg]
        def values(self) -> Any:  # the garbage collector closes the run just here
            room.clear()
            inside.set()
            return super().values()

    room._held = Collected()
    job = _Job.__new__(_Job)
    job.step = Step(5, 0, 1, 1, 0)
    thread = threading.Thread(target=room.enter, args=(job, 1), daemon=True)
    thread.start()
    assert inside.wait(10)
    thread.join(10)
    assert not thread.is_alive()


def test_jobs_are_failed_after_the_threads_have_ended(ds, monkeypatch):
    told, abandon = [], Run.abandon

    def noted(self: Run) -> None:
        told.append(self.pool.alive)
        abandon(self)

    monkeypatch.setattr(Run, "abandon", noted)
    loader = Loader(ds, 2, num_threads=1)
    running = iter(loader)
    next(running)
    loader.close()
    assert told == [True, False]
    running.close()
    gc.collect()


SCRIPT = """
from domainkit.loader import Loader
from support.rows import dataset
import pathlib, sys
def work(batch, draws):
    return batch
with Loader(dataset(pathlib.Path(sys.argv[1]), 4), 2, transform=work, num_processes=1) as loader:
    list(loader)
"""


def test_a_transform_of_a_prompt_is_said_to_be_unknown(tmp_path):
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{SCRIPT}"]
    done = subprocess.run(
        [*command, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert "define transform and collate functions in a module" in done.stderr
    assert "enough memory" not in done.stderr


def test_an_error_of_a_process_says_where_it_was_raised():
    def culprit() -> None:
        raise DomainkitError("no")

    with pytest.raises(DomainkitError) as caught:
        culprit()
    assert "in culprit" in _portable(caught.value).__notes__[0]
