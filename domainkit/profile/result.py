"""``Profile``: the numbers of a measurement, which judge, draw and print themselves."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domainkit.loader.recorder import Span
from domainkit.loader.stats import Stats

if TYPE_CHECKING:
    from domainkit.profile.verdict import Verdict

__all__ = ["Profile"]


@dataclass(frozen=True)
class Profile:
    """What ``measure`` found.

    Attributes:
        title: what was measured, in a few words.
        rate: samples per second of the loop: the loader and the step together, or the loader
            alone where there is no step.
        input_rate: samples per second of the loader alone: the ceiling if the model were free.
        model_rate: samples per second of the step on batches that are there already: the ceiling
            if the input were free; None without a step.
        stats: the loader's, of the loop.
        input_cores: CPU cores that the loader alone kept busy on average, without processes of
            its own.
        idle_cores: CPU cores that had nothing to do meanwhile; what is left other programs took.
        device: where batches end up: "cpu", "cuda:0".
        batch_size, num_threads, num_processes, prefetch: the loader's; the mean size where
            batches differ.
        cpus: CPUs that this process may use.
        torch_threads: threads of a tensor operation on the CPU.
        accelerator: whether this machine has one (CUDA, MPS).
        recorder_share: in [0, 1], at most this share of the loop's time went into recording it.
        spans: the loop's, for ``to_html`` and ``to_trace``.
    """

    title: str
    rate: float
    input_rate: float
    model_rate: float | None
    stats: Stats
    input_cores: float
    idle_cores: float
    device: str
    batch_size: int
    num_threads: int
    num_processes: int
    prefetch: int
    cpus: int
    torch_threads: int
    accelerator: bool
    recorder_share: float = 0.0
    spans: Sequence[Span] = field(default=(), repr=False)

    @property
    def verdict(self) -> Verdict:
        """What holds the loop back, and one piece of advice."""
        from domainkit.profile.verdict import judge

        return judge(self)

    @property
    def rates(self) -> dict[str, float]:
        """What the loop does, and its two ceilings: words -> samples per second."""
        if self.model_rate is None:
            return {"the loader alone": self.rate}
        return {
            "the loop": self.rate,
            "if the model were free": self.input_rate,
            "if the input were free": self.model_rate,
        }

    def to_dict(self) -> dict[str, Any]:
        """All but the spans as plain numbers and strings, safe for JSON; with the verdict."""
        verdict = self.verdict
        facts = {k: v for k, v in vars(self).items() if k not in ("spans", "stats")}
        told = {"bound": verdict.bound, "advice": verdict.advice, "line": verdict.line}
        return {**facts, "stats": self.stats.to_dict(), "verdict": told}

    def to_html(self, path: str | Path) -> None:
        """Write one HTML file with the verdict, the tables and the spans on a time axis."""
        from domainkit.profile.timeline import timeline_html

        Path(path).write_text(timeline_html(self), encoding="utf-8")

    def to_trace(self, path: str | Path) -> None:
        """Write the spans as a trace that ui.perfetto.dev and chrome://tracing open."""
        from domainkit.profile.trace import trace_events

        text = json.dumps(trace_events(self.spans, self.title))
        Path(path).write_text(text, encoding="utf-8")

    def __repr__(self) -> str:
        wide = max(map(len, self.rates))
        rates = [
            f"  {name.ljust(wide)}  {rate:10,.0f} samples/s" for name, rate in self.rates.items()
        ]
        return "\n".join([self.title, *rates, repr(self.stats), self.verdict.line])

    def _repr_html_(self) -> str:
        rates = "".join(
            f"<li>{name}: {rate:,.0f} samples/s</li>" for name, rate in self.rates.items()
        )
        return (
            f"<b>{html.escape(self.title)}</b><p>{html.escape(self.verdict.line)}</p>"
            f"<ul>{rates}</ul>{self.stats._repr_html_()}"
        )
