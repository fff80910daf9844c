"""The trace against the rules of its format, by a checker that knows nothing of how it is made."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import domainkit as dk
from domainkit.loader.recorder import Span
from domainkit.loader.stats import STAGES
from domainkit.profile import trace_events
from domainkit.profile.lanes import lanes

SPANS = st.lists(
    st.builds(
        lambda stage, thread, start, took: Span(stage, thread, start, start + took, 4, 1),
        st.sampled_from(STAGES),
        st.sampled_from(["MainThread", "w_0", "w_1", "w_10"]),
        st.integers(0, 10**6).map(lambda k: 10**15 + k),  # as large as a real clock's
        st.integers(0, 10**5),
    ),
    max_size=40,
)


def check(trace: dict[str, Any]) -> dict[int, str]:
    """Raises where the trace breaks a rule; tid -> the row's name."""
    trace = json.loads(json.dumps(trace, allow_nan=False))
    assert trace["displayTimeUnit"] in ("ms", "ns")
    names: dict[int, str] = {}
    rows: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for event in trace["traceEvents"]:
        assert isinstance(event["pid"], int) and isinstance(event["tid"], int)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name", "thread_sort_index")
            if event["name"] == "thread_name":
                assert event["tid"] not in names
                names[event["tid"]] = event["args"]["name"]
        else:
            assert event["ph"] == "X" and event["name"] in STAGES
            assert event["ts"] >= 0 and event["dur"] >= 0
            # to the nanosecond, as a viewer keeps it
            start, took = round(event["ts"] * 1e3), round(event["dur"] * 1e3)
            rows[event["tid"]].append((start, start + took))
    assert len(set(names.values())) == len(names)
    assert set(rows) == set(names)
    for found in rows.values():
        held: list[float] = []
        for start, end in sorted(found, key=lambda s: (s[0], -s[1])):
            while held and held[-1] <= start:
                held.pop()
            assert not held or end <= held[-1], "two spans of a row overlap"
            held.append(end)
    return names


@given(SPANS)
def test_any_spans_make_a_valid_trace(spans: list[Span]) -> None:
    trace = trace_events(spans)
    check(trace)
    mine = sorted(
        (e["name"], round(e["dur"] * 1e3), e["args"]["samples"])
        for e in trace["traceEvents"]
        if e["ph"] == "X"
    )
    assert mine == sorted((s.stage, s.end_ns - s.start_ns, s.samples) for s in spans)
    starts = [e["ts"] for e in trace["traceEvents"] if e["ph"] == "X"]
    assert not spans or min(starts) == 0


def test_rows_and_their_order() -> None:
    spans = [
        Span("decode", "w_10", 0, 5, 1, 0),
        Span("decode", "w_2", 0, 5, 1, 0),
        Span("wait", "z-main", 0, 9, 1, 0),
        Span("step", "z-main", 9, 20, 1, 0),
    ]
    trace = trace_events(spans, 'a "title"')
    assert list(check(trace).values()) == ["z-main", "w_2", "w_10"]
    assert trace["traceEvents"][0]["args"] == {"name": 'a "title"'}
    assert [s.stage for s, _ in lanes(spans)[0].spans] == ["wait", "step"]


def test_spans_that_cross_get_rows_of_their_own() -> None:
    spans = [Span("step", "main", 0, 10, 1, 0), Span("step", "main", 5, 15, 1, 0)]
    assert list(check(trace_events(spans)).values()) == ["main", "main (2)"]


def test_a_nested_span_stays_in_its_row() -> None:
    spans = [Span("wait", "m", 0, 9, 1, 0), Span("read", "m", 0, 3, 1, 0)]
    spans += [Span("decode", "m", 3, 9, 1, 0), Span("step", "m", 9, 12, 1, 0)]
    (row,) = lanes(spans)
    assert [(s.stage, depth) for s, depth in row.spans] == [
        *(("wait", 0), ("read", 1), ("decode", 1), ("step", 0)),
    ]


def test_a_row_named_like_a_second_row() -> None:
    spans = [Span("step", "main", 0, 10, 1, 0), Span("step", "main", 5, 15, 1, 0)]
    spans.append(Span("decode", "main (2)", 0, 1, 1, 0))
    check(trace_events(spans))


@pytest.mark.parametrize("num_threads", [0, 2])
def test_of_a_real_loader(num_threads: int, tmp_path: Path) -> None:
    ds = dk.load_dataset("vision/fashion-mnist-mini", "test[:200]")
    loader = dk.Loader(ds, 32, num_threads=num_threads)
    found = dk.profile.measure(loader, lambda batch: None, seconds=0.05)
    found.to_trace(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    names = check(trace)
    assert names[1] == "MainThread"
    assert len([e for e in trace["traceEvents"] if e["ph"] == "X"]) == len(found.spans) > 0
