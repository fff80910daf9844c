"""Spans as a trace: the JSON format that ui.perfetto.dev and chrome://tracing read.

Complete events ("X") with microseconds since the first span, one row per lane, and metadata events
("M") that name them. The format: "Trace Event Format", Google, 2016.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domainkit.loader.recorder import Span
from domainkit.profile.lanes import lanes

__all__ = ["trace_events"]

PROCESS = 1


def trace_events(spans: Iterable[Span], title: str = "domainkit") -> dict[str, Any]:
    """The trace, ready for ``json.dump``.

    Args:
        spans: as ``Recorder.spans`` gives them.
        title: the name of the process in the viewer.

    Example:
        >>> trace = trace_events([Span("decode", "worker", 5_000, 9_000, 8, 0)])
        >>> trace["traceEvents"][-1]["dur"]
        4.0
    """
    rows = lanes(spans)
    first = min((lane.spans[0][0].start_ns for lane in rows), default=0)
    events = [_name("process_name", 0, name=title)]
    for tid, lane in enumerate(rows, 1):
        events.append(_name("thread_name", tid, name=lane.name))
        events.append(_name("thread_sort_index", tid, sort_index=tid))
        events += [
            {
                "name": span.stage,
                "cat": "loader",
                "ph": "X",
                "ts": (span.start_ns - first) / 1e3,
                "dur": max(0, span.end_ns - span.start_ns) / 1e3,
                "pid": PROCESS,
                "tid": tid,
                "args": {"batch": span.batch, "samples": span.samples},
            }
            for span, _ in lane.spans
        ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _name(what: str, tid: int, **args: Any) -> dict[str, Any]:
    return {"name": what, "ph": "M", "ts": 0, "pid": PROCESS, "tid": tid, "args": args}
