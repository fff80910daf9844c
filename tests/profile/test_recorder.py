"""The recorder against numpy over the same spans; threads, bounds, copies."""

from __future__ import annotations

import copy
import json
import os
import pickle
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainkit.loader import recorder as module
from domainkit.loader.recorder import Recorder, Span
from domainkit.loader.stats import CONSUMER, STAGES, WORKERS, StageStats, Stats

SPANS = st.lists(
    st.tuples(
        st.sampled_from(STAGES),
        st.integers(0, 10**12),
        st.integers(0, 10**10),
        st.integers(0, 512),
    ),
    max_size=60,
)


def recorded(spans: list[tuple[str, int, int, int]]) -> Recorder:
    recorder = Recorder()
    for k, (stage, start, took, samples) in enumerate(spans):
        recorder.add(stage, start, start + took, samples, k)
    return recorder


@given(SPANS)
def test_totals_are_sums(spans: list[tuple[str, int, int, int]]) -> None:
    stats = recorded(spans).stats()
    looped = sum(took for stage, _, took, _ in spans if stage in CONSUMER)
    worked = sum(took for stage, _, took, _ in spans if stage in WORKERS)
    assert list(stats.stages) == list(STAGES)
    for name, stage in stats.stages.items():
        mine = [(took, samples) for s, _, took, samples in spans if s == name]
        total, samples = sum(t for t, _ in mine), sum(n for _, n in mine)
        whole = looped if name in CONSUMER else worked
        assert (stage.samples, stage.spans) == (samples, len(mine))
        assert stage.seconds == pytest.approx(total / 1e9)
        assert stage.ms_per_sample == pytest.approx(total / samples / 1e6 if samples else 0)
        assert stage.share == pytest.approx(total / whole if whole else 0)
        each = [t / n / 1e6 for t, n in mine if n]
        if each:
            assert (stage.p50, stage.p99) == pytest.approx(np.percentile(each, (50, 99)).tolist())
    if spans:
        last = max(start + took for _, start, took, _ in spans)
        assert stats.seconds == pytest.approx((last - min(s for _, s, _, _ in spans)) / 1e9)
    assert stats.stall == stats.stages["wait"].share
    assert stats.batches == sum(s == "wait" and n > 0 for s, _, _, n in spans)


@given(SPANS, st.integers(1, 40))
def test_when_it_sums_up_makes_no_difference(
    spans: list[tuple[str, int, int, int]], at: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FOLD_AT", at)
        often = recorded(spans)
    once = recorded(spans)
    assert often.stats() == once.stats()
    assert often.spans() == once.spans()


def test_a_loop_of_two_batches() -> None:
    recorder = Recorder()
    for batch, start in enumerate((0, 40_000_000)):
        recorder.add("wait", start, start + 10_000_000, 32, batch)
        recorder.add("step", start + 10_000_000, start + 40_000_000, 32, batch)
    recorder.add("wait", 80_000_000, 80_000_000, 0, 2)  # the epoch's end brings no batch
    stats = recorder.stats(skipped=3, bytes_read=4_000_000)
    assert (stats.samples, stats.batches, stats.seconds, stats.stall) == (64, 2, 0.08, 0.25)
    assert stats.samples_per_second == pytest.approx(64 / 0.08)
    assert stats.stages["step"].ms_per_span == 30.0
    assert (stats.skipped, stats.bytes_read) == (3, 4_000_000)
    assert "3 samples skipped" in stats.line and "4.0 MB read" in stats.line


def test_a_pause_between_epochs_is_no_time_of_the_loop() -> None:
    recorder = Recorder()
    recorder.add("step", 0, 10**9, 100, 0)
    recorder.add("wait", 50 * 10**9, 51 * 10**9, 100, 1)
    assert recorder.stats().samples_per_second == 50.0
    assert recorder.stats().seconds == 51.0


def test_memory_is_bounded_and_totals_are_not() -> None:
    recorder, n = Recorder(), module.KEPT_SPANS + 5_000
    for k in range(n):
        recorder.add("decode", k, 2 * k, 1, k)
    spans = recorder.spans()
    assert [s.batch for s in spans] == list(range(5_000, n))
    assert len(recorder._new) < module.FOLD_AT
    decode = recorder.stats().stages["decode"]
    assert (decode.spans, decode.seconds) == (n, n * (n - 1) / 2 / 1e9)
    last = np.arange(n - module.KEPT_PER_STAGE, n) / 1e6  # the quantiles are of the last ones
    assert (decode.p50, decode.p99) == pytest.approx(np.percentile(last, (50, 99)).tolist())


def test_threads_lose_nothing() -> None:
    recorder, threads, each = Recorder(), 8, 5_000
    together = threading.Barrier(threads)

    def work(number: int) -> None:
        together.wait()
        for k in range(each):
            recorder.add("decode", 0, number + 1, 2, k)

    workers = [threading.Thread(target=work, args=(i,), name=f"w{i}") for i in range(threads)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        recorder.stats()  # at any moment
    for worker in workers:
        worker.join()
    decode = recorder.stats().stages["decode"]
    assert (decode.spans, decode.samples) == (threads * each, 2 * threads * each)
    assert round(decode.seconds * 1e9) == each * sum(range(1, threads + 1))


def test_add_does_not_wait_for_who_sums_up() -> None:
    recorder = Recorder()
    with recorder._lock:  # somebody is at it
        for k in range(3 * module.FOLD_AT):
            recorder.add("read", 0, 1, 1, k)
    assert recorder.stats().stages["read"].spans == 3 * module.FOLD_AT


def test_a_child_of_a_fork_has_a_lock_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, pid = Recorder(), os.getpid()
    held = recorder._lock
    held.acquire()  # by a thread that the fork leaves behind
    monkeypatch.setattr(module.os, "getpid", lambda: pid + 1)
    for k in range(2 * module.FOLD_AT):
        recorder.add("read", 0, 1, 1, k)
    assert len(recorder._new) < module.FOLD_AT
    assert recorder.stats().stages["read"].spans == 2 * module.FOLD_AT
    recorder.clear()
    assert recorder.spans() == []


def test_who_did_it() -> None:
    recorder = Recorder()
    recorder.add("wait", 5, 9, 1, 0)
    recorder.add("decode", 1, 4, 8, 3, thread="process 2")
    assert recorder.spans() == [
        Span("decode", "process 2", 1, 4, 8, 3),
        Span("wait", threading.current_thread().name, 5, 9, 1, 0),
    ]


def test_clear_forgets_everything() -> None:
    recorder = recorded([("read", 0, 5, 1), ("wait", 5, 6, 1)])
    recorder.stats()
    recorder.add("step", 0, 1, 1, 0)
    recorder.clear()
    assert recorder.spans() == [] and recorder.stats() == Recorder().stats()


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))]
)
def test_a_copy_starts_empty(again: Any) -> None:
    recorder = recorded([("read", 0, 5, 1)])
    other = again(recorder)
    other.add("read", 0, 7, 1, 0)
    assert [s.end_ns for s in other.spans()] == [7]
    assert [s.end_ns for s in recorder.spans()] == [5]


def test_an_unknown_stage() -> None:
    with pytest.raises(ValueError, match=r"stage must be one of read, .*, got 'decoding'"):
        Recorder().add("decoding", 0, 1, 1, 0)


# -- shown -------------------------------------------------------------------------------------


def some() -> Stats:
    return recorded([("read", 0, 1_000_000, 8), ("decode", 0, 3_000_000, 8)]).stats()


def test_as_a_table() -> None:
    head, columns, *rows = repr(some()).splitlines()
    assert head.startswith("Stats: 8 samples in 0 batches")
    assert columns.split() == ["ms/sample", "p50", "p99", "seconds", "share"]
    assert [row.split()[0] for row in rows] == list(STAGES)
    assert "75 %" in rows[1] and rows[1].count("█") == 3 * rows[0].count("█") > 0
    assert max(map(len, [head, columns, *rows])) <= 100


def test_as_json_and_html() -> None:
    told = json.loads(json.dumps(some().to_dict(), allow_nan=False))
    assert told["stages"]["decode"]["ms_per_sample"] == 0.375
    page = some()._repr_html_()
    assert page.count("<tr>") == page.count("</tr>") == 1 + len(STAGES)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.00123, "0.00123"),
        (0.25, "0.250"),
        (1.5, "1.50"),
        (42.42, "42.4"),
        (4e4, "40,000"),
    ],
)
def test_three_digits_count(value: float, text: str) -> None:
    stats = Stats(1, 1, 1.0, 1.0, 0.0, {"read": StageStats(ms_per_sample=value)})
    assert stats.rows()[1][1] == text
