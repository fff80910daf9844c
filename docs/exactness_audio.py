"""How exactly the audio functions and transforms agree with others, measured; writes a page.

Run ``python docs/exactness_audio.py`` to write ``docs/exactness-audio.md`` again from what this
machine computes. ``tests/audio/test_exactness.py`` measures again and holds the page to it.

The cases are a table in ``exactness_audio_cases.py``: a new function or class is one line there.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))  # read alone, by a test or by mkdocs

from exactness_audio_cases import CASES, Case
from exactness_audio_inputs import Inputs
from exactness_audio_remarks import LEFT_OUT, ON_PURPOSE

PAGE = Path(__file__).with_name("exactness-audio.md")
COLUMNS = ("float64", "float32", "own")
TITLE = """\
# How exact the audio transforms are

Largest difference between a function or transform here and its reference, on {count} spoken
recordings at 8000 Hz (`audio/voice-prompts`, {shortest} to {longest} samples), as a part of the
largest value of the reference's result: 1e-07 is one in ten million. Transforms get all recordings
as one `Ragged`, the reference one after the other, so the figures hold for padded batches too.

- **float64**: both compute in float64, filter banks included.
- **float32**: both compute in float32.
- **its own**: the reference in float32, on what was made in float32, against itself in float64.
  Where this is as large as the figure before it, the difference is rounding, and both are as near
  to the truth.

`python docs/exactness_audio.py` measures again and writes this page; a test holds the page to what
it measures.
"""
HEADINGS = {
    "functional": "Functions: `domainkit.audio.functional`",
    "transforms": "Transforms: `domainkit.audio.transforms`",
}


@cache
def inputs_in(dtype: torch.dtype) -> list[Inputs]:
    return [Inputs(i, dtype) for i in range(Inputs.COUNT)]


def measure(case: Case) -> dict[str, float]:
    """Largest differences, as parts of the largest value: one for each of ``COLUMNS``."""
    results = {}
    for dtype in (torch.float64, torch.float32):
        with _quiet(dtype):
            inputs = inputs_in(dtype)
            results[dtype] = [
                (np.asarray(mine), np.asarray(theirs))
                for mine, theirs in zip(case.mine(inputs), map(case.theirs, inputs), strict=True)
            ]
    double, single = results[torch.float64], results[torch.float32]
    return {
        "float64": max(_difference(mine, theirs) for mine, theirs in double),
        "float32": max(_difference(mine, theirs) for mine, theirs in single),
        "own": max(_difference(s[1], d[1]) for s, d in zip(single, double, strict=True)),
    }


def page() -> str:
    """The whole page."""
    sizes = [len(Inputs(i, torch.float32).x[0]) for i in range(Inputs.COUNT)]
    title = TITLE.format(count=len(sizes), shortest=min(sizes), longest=max(sizes))
    lines = [*title.splitlines()]
    for place, heading in HEADINGS.items():
        lines += ["", f"## {heading}", ""]
        lines += ["| Call | Reference | float64 | float32 | its own |", "|---|---|---|---|---|"]
        for case in CASES:
            if case.place == place:
                worst = measure(case)
                cells = [number(worst[key]) for key in COLUMNS]
                lines.append(f"| `{case.title}` | {case.reference} | {' | '.join(cells)} |")
    lines += ["", "## Different on purpose", ""]
    lines += [f"- {_names(name.split(', '))}: {why}" for name, why in ON_PURPOSE.items()]
    lines += ["", "## Not in the tables", ""]
    lines += [f"- {_names(names)}: {why}." for names, why in LEFT_OUT.items()]
    return "\n".join(lines) + "\n"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def number(value: float) -> str:
    return "0" if value == 0 else f"{value:.0e}"


def _difference(mine: np.ndarray, theirs: np.ndarray) -> float:
    assert mine.shape == theirs.shape, (mine.shape, theirs.shape)
    wide = np.complex128 if np.iscomplexobj(theirs) else np.float64
    mine, theirs = mine.astype(wide), theirs.astype(wide)
    largest = np.abs(theirs).max(initial=0)
    return float(np.abs(mine - theirs).max(initial=0) / (largest or 1.0))


@contextmanager
def _quiet(dtype: torch.dtype) -> Iterator[Any]:
    """torchaudio makes its filters in the default dtype, and warns of what it will lose."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(before)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
