"""``Stats``: where the time of a loader and of the loop around it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["CONSUMER", "STAGES", "WORKERS", "StageStats", "Stats"]

WORKERS = ("read", "decode", "place", "copy", "transform")  # what makes a batch
CONSUMER = ("wait", "step")  # what the loop that takes the batches does
STAGES = (*WORKERS, *CONSUMER)

HEAD = ("", "ms/sample", "p50", "p99", "seconds", "share")
BAR_CELLS = 20
EIGHTHS = " ▏▎▍▌▋▊▉"
CELL = "border:0;padding:.2em .8em;text-align:right"


@dataclass(frozen=True)
class StageStats:
    """One stage.

    Attributes:
        ms_per_sample: mean milliseconds per sample, over everything recorded.
        p50, p99: the same of single spans, as quantiles over the last 4,096 of them.
        seconds: in total, the threads' times added up.
        share: in [0, 1], of the time of all worker stages (read, decode, place, copy, transform)
            or, for wait and step, of the time of the loop (wait + step).
        samples, spans: how many there were; a span of wait or step is a batch.
    """

    ms_per_sample: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    seconds: float = 0.0
    share: float = 0.0
    samples: int = 0
    spans: int = 0

    @property
    def ms_per_span(self) -> float:
        """Mean milliseconds of a span: per batch for wait and step."""
        return 1e3 * self.seconds / self.spans if self.spans else 0.0


@dataclass(frozen=True)
class Stats:
    """What ``Recorder.stats`` and ``loader.stats()`` give; prints as a table.

    Attributes:
        samples, batches: delivered to the loop.
        seconds: from the first moment recorded to the last.
        samples_per_second: samples per second of the loop's own time (wait + step), so that what
            a script does between epochs does not count.
        stall: in [0, 1], the share of the loop's time in which it waited for a batch.
        stages: stage -> ``StageStats``, all of ``STAGES`` in order.
        skipped: samples left out because of an error.
        bytes_read: bytes of the stored samples, where they were counted.

    Example:
        >>> stages = {"wait": StageStats(share=0.25), "step": StageStats(share=0.75)}
        >>> Stats(512, 2, 0.5, 1024.0, 0.25, stages).stall
        0.25
    """

    samples: int
    batches: int
    seconds: float
    samples_per_second: float
    stall: float
    stages: Mapping[str, StageStats]
    skipped: int = 0
    bytes_read: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain numbers in dicts, safe for JSON."""
        return asdict(self)

    @property
    def line(self) -> str:
        """All in one line, without the stages."""
        told = [
            f"{self.samples:,} samples in {self.batches:,} batches",
            f"{_short(self.seconds)} s",
            f"{self.samples_per_second:,.0f} samples/s",
            f"the loop waited {100 * self.stall:.0f} % of its time",
        ]
        if self.bytes_read is not None:
            told.insert(1, f"{self.bytes_read / 1e6:,.1f} MB read")
        if self.skipped:
            told.append(f"{self.skipped:,} samples skipped")
        return ", ".join(told)

    def rows(self) -> list[tuple[str, ...]]:
        """The table's cells: a head, then a row per stage, with a bar for its share."""
        body = [
            (
                name,
                *(_short(v) for v in (s.ms_per_sample, s.p50, s.p99, s.seconds)),
                f"{100 * s.share:.0f} %",
                _bar(s.share),
            )
            for name, s in self.stages.items()
        ]
        return [(*HEAD, ""), *body]

    def __repr__(self) -> str:
        rows = self.rows()
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"Stats: {self.line}"]
        for name, *cells in rows:
            right = [c.rjust(w) for c, w in zip(cells[:-1], wide[1:-1], strict=True)]
            lines.append("  ".join(["", name.ljust(wide[0]), *right, cells[-1]]).rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head, *body = self.rows()
        cells = "".join(f'<th style="{CELL}">{name}</th>' for name in head)
        lines = []
        for row, stage in zip(body, self.stages.values(), strict=True):
            bar = (
                f'<div style="width:{8 * stage.share:.2f}em;height:.7em;background:currentColor;'
                'opacity:.5"></div>'
            )
            shown = "".join(f'<td style="{CELL}">{cell}</td>' for cell in [*row[:-1], bar])
            lines.append(f"<tr>{shown}</tr>")
        return (
            f'<div style="padding:.4em 0">{self.line}</div>'
            '<table style="border-collapse:collapse;border:0;color:inherit">'
            f"<thead><tr>{cells}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        )


def _short(value: float) -> str:
    """Three digits that count, and never 1e-05."""
    if value == 0:
        return "0"
    digits = next((d for d in range(3) if abs(value) >= 10 ** (2 - d)), 3)
    return f"{value:,.{digits}f}" if abs(value) >= 0.1 else f"{value:.5f}"


def _bar(share: float) -> str:
    eighths = round(8 * BAR_CELLS * min(max(share, 0.0), 1.0))
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()
