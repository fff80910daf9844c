"""What holds a training loop back: measured, judged in one line, and shown on a time axis."""

from __future__ import annotations

from domainkit.profile.measure import measure
from domainkit.profile.result import Profile
from domainkit.profile.steps import eval_step, train_step
from domainkit.profile.timeline import timeline_html
from domainkit.profile.trace import trace_events
from domainkit.profile.verdict import Verdict, judge

__all__ = [
    "Profile",
    "Verdict",
    "eval_step",
    "judge",
    "measure",
    "timeline_html",
    "trace_events",
    "train_step",
]
