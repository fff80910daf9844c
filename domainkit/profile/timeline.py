"""A profile as one HTML file: verdict, tables, and each thread's spans on a time axis.

The page loads nothing, from nowhere, and says so to the browser; it follows the reader's light or
dark setting. Colours are told apart by most colour-blind people (after Okabe and Ito, 2008).
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from domainkit.loader.stats import STAGES
from domainkit.profile.lanes import Lane, lanes
from domainkit.profile.result import Profile

__all__ = ["COLOURS", "timeline_html"]

COLOURS = {
    "read": "#56b4e9",
    "decode": "#e69f00",
    "place": "#009e73",
    "copy": "#cc79a7",
    "transform": "#7a6ad8",
    "wait": "#d55e00",
    "step": "#8a8f98",
}
BOUNDS = {"input": "wait", "bursty": "wait", "contended": "decode", "model": "step"}
RATE_BAR = 14  # em
SHARE_BAR = 11


def timeline_html(profile: Profile) -> str:
    """The page as a string; ``Profile.to_html`` writes it to a file.

    Example:
        >>> from domainkit.loader.recorder import Recorder
        >>> found = Profile("mine", 9.0, 9.0, None, Recorder().stats(), input_cores=1.0,
        ...     idle_cores=7.0, device="cpu", batch_size=64, num_threads=2, num_processes=0,
        ...     prefetch=4, cpus=8, torch_threads=4, accelerator=False)
        >>> timeline_html(found)[:15]
        '<!DOCTYPE html>'
    """
    rows = lanes(profile.spans)
    verdict = profile.verdict
    shown = f"The last {len(profile.spans):,} spans of the loop." if profile.spans else ""
    parts = {
        "TITLE": html.escape(profile.title),
        "VERDICT": html.escape(verdict.line),
        "BOUND_COLOUR": COLOURS[BOUNDS.get(verdict.bound, "place")],
        "RATES": _rates(profile),
        "HEAD": _head(profile),
        "STAGES": _stages(profile),
        "LINE": html.escape(profile.stats.line),
        "OVERHEAD": f"{100 * profile.recorder_share:.2f} %",
        "SHOWN": shown,
        "DATA": _json(_data(rows)),
    }
    page = Path(__file__).with_name("timeline.html").read_text(encoding="utf-8")
    # in one pass: what is put in is not looked at again
    return re.sub(r"@([A-Z_]+)@", lambda match: parts[match[1]], page)


def _rates(profile: Profile) -> str:
    most = max(profile.rates.values()) or 1.0
    return "".join(
        f"<tr><th>{name}</th><td>{rate:,.0f}</td>"
        f'<td class="bars"><span class="bar" style="width:{RATE_BAR * rate / most:.2f}em">'
        "</span></td></tr>"
        for name, rate in profile.rates.items()
    )


def _head(profile: Profile) -> str:
    return f"<tr>{''.join(f'<th>{name}</th>' for name in profile.stats.rows()[0])}</tr>"


def _stages(profile: Profile) -> str:
    lines = []
    for name, *cells, _ in profile.stats.rows()[1:]:
        wide = SHARE_BAR * profile.stats.stages[name].share
        dot = f'<span class="dot" style="background:{COLOURS[name]}"></span>'
        bar = f'<span class="bar" style="width:{wide:.2f}em;background:{COLOURS[name]}"></span>'
        shown = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f'<tr><th>{dot}{name}</th>{shown}<td class="bars">{bar}</td></tr>')
    return "".join(lines)


def _data(rows: list[Lane]) -> dict[str, Any]:
    first = min((lane.spans[0][0].start_ns for lane in rows), default=0)
    return {
        "stages": STAGES,
        "colours": [COLOURS[name] for name in STAGES],
        "rows": [lane.name for lane in rows],
        "spans": [
            [
                STAGES.index(span.stage),
                row,
                depth,
                (span.start_ns - first) / 1e3,
                (span.end_ns - span.start_ns) / 1e3,
                span.samples,
                span.batch,
            ]
            for row, lane in enumerate(rows)
            for span, depth in lane.spans
        ],
    }


def _json(value: Any) -> str:
    """JSON that no name in it can end the script element with."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
