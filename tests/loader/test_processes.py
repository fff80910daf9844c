"""Processes in the place of threads: the same batches; a crashing decoder costs its sample."""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress
from typing import Any

import psutil
import pytest
import torch
from support import crashing, process_work
from support.rows import as_list, dataset

from domainkit.audio.codec import encode_wav
from domainkit.dataset import Dataset
from domainkit.errors import DecodeError, DomainkitError
from domainkit.features import Audio, Int
from domainkit.loader import Loader

N = 53


@pytest.fixture(scope="module")
def ds(tmp_path_factory) -> Dataset:
    return dataset(tmp_path_factory.mktemp("loader"), N)


def children() -> list[psutil.Process]:
    """Processes of loaders; spawning has a helper of its own, which stays."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it ends while we look
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def recordings(folder: Any, marks: dict[int, bytes]) -> Dataset:
    rows = (
        {"audio": marks.get(i, b"") or encode_wav(torch.full((1, 8), i / 32), 8000), "number": i}
        for i in range(20)
    )
    return dataset(folder, rows, {"audio": Audio(), "number": Int()})


def test_batches_are_those_of_threads(ds):
    given = []
    for how in ({"num_threads": 0}, {"num_threads": 3}, {"num_processes": 2}):
        with Loader(ds, 7, shuffle=True, seed=3, transform=process_work.jitter, **how) as loader:
            running = iter(loader)
            head = [next(running) for _ in range(3)]
            state = loader.state_dict()
            del running
            with Loader(ds, 5, shuffle=True, seed=0, transform=process_work.jitter, **how) as other:
                other.load_state_dict(state)
                given.append([*head, *other, *loader])  # the rest of one epoch, and the next
    for threads in given[1:]:
        for one, two in zip(given[0], threads, strict=True):
            assert one.keys() == two.keys()
            assert torch.equal(one.ids, two.ids)
            assert one["text"] == two["text"]
            assert all(torch.equal(one[k], two[k]) for k in ("number", "half", "noise", "grid"))
            assert [t.tolist() for t in one["tokens"]] == [t.tolist() for t in two["tokens"]]


def test_an_error_arrives_and_the_processes_go_on(ds):
    with Loader(ds, 5, transform=process_work.fail_at_30, num_processes=1) as loader:
        for _ in range(2):
            seen = []
            with pytest.raises(ZeroDivisionError, match="row 30"):
                for batch in loader:
                    seen += batch["number"].tolist()
            assert seen == list(range(30))
        assert len(children()) == 1
        with pytest.raises(DomainkitError, match="Unpicklable in a loader's process: cannot say"):
            loader.transform = process_work.unpicklable
            next(iter(loader))


def test_processes_are_born_once_and_end_with_the_loader(ds):
    before = len(children())
    loader = Loader(ds, 5, num_processes=2)
    list(loader)
    born = {p.pid for p in children()}
    assert len(born) == before + 2
    for _ in loader:
        break
    list(loader)
    assert {p.pid for p in children()} == born
    del loader
    assert len(children()) == before


def test_work_is_done_in_other_processes(ds):
    with Loader(ds, 5, transform=process_work.who, num_processes=2) as loader:
        pids = {int(p) for batch in loader for p in batch["pid"]}
        assert os.getpid() not in pids
        assert pids <= {p.pid for p in children()}
        stats = loader.stats()
    assert stats.stages["transform"].samples == stats.stages["read"].samples == N


def test_a_crashing_decoder_costs_its_sample(tmp_path, caplog):
    broken = recordings(tmp_path, {7: crashing.CRASH, 12: crashing.CRASH})
    how = {"collate": {"audio": crashing.plain}, "num_processes": 1}
    with Loader(broken, 4, on_error="skip", **how) as loader:
        batches = list(loader)
        assert loader.skipped == 2
        told = [r.message for r in caplog.records if r.name == "domainkit.loader"]
        assert len(told) == 2
        assert "row 7, column 'audio': its decoder took the process down (SIGSEGV)" in told[0]
        assert [b["number"].tolist() for b in batches] == [
            *([0, 1, 2, 3], [4, 5, 6], [8, 9, 10, 11], [13, 14, 15], [16, 17, 18, 19])
        ]
        assert len(batches[1]["audio"]) == 3
    with Loader(broken, 4, **how) as loader:
        seen = []
        with pytest.raises(DecodeError, match="row 7, column 'audio': its decoder took"):
            for batch in loader:
                seen += batch["number"].tolist()
        assert seen == [0, 1, 2, 3]


def test_a_killed_process_is_no_samples_fault(tmp_path):
    once = os.fsencode(tmp_path / "killed")
    how = {"collate": {"audio": crashing.plain}, "num_processes": 1, "on_error": "skip"}
    with Loader(recordings(tmp_path, {7: crashing.KILL_ONCE + once}), 4, **how) as loader:
        assert [i for b in loader for i in b["number"].tolist()] == list(range(20))
        assert loader.skipped == 0
    with (
        Loader(recordings(tmp_path, {7: crashing.KILL}), 4, **how) as loader,
        pytest.raises(DomainkitError, match=r"ended twice over the same batch \(SIGKILL\)"),
    ):
        list(loader)


def test_what_does_not_pickle_is_told(ds):
    with (
        Loader(ds, 5, transform=lambda batch, draws: batch, num_processes=1) as loader,
        pytest.raises(Exception, match="pickle"),
    ):
        next(iter(loader))


def test_a_loader_that_is_dropped_in_mid_epoch_leaves_no_process(ds):
    before = len(children())
    running = iter(Loader(ds, 2, transform=process_work.jitter, num_processes=2))
    next(running)
    del running
    deadline = time.monotonic() + 60
    while len(children()) > before and time.monotonic() < deadline:
        os.sched_yield()
    assert len(children()) == before


def test_infinite_and_repeating_orders_survive_the_way(ds):
    from domainkit.samplers import Weighted

    order = Weighted([1.0] * N)
    given = [
        [b["noise"].tolist() for b in itertools.islice(loader, 12)]
        for how in ({"num_threads": 0}, {"num_processes": 1})
        for loader in [
            Loader(ds, 9, sampler=order, infinite=True, transform=process_work.jitter, **how)
        ]
    ]
    assert given[0] == given[1]


def test_the_dataset_is_unharmed(ds):
    assert as_list(ds) == list(range(N))
