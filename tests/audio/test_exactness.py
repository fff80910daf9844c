"""The page that says how exact the audio functions and transforms are, held to what is measured."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support.peers import torchaudio_or_skip

from domainkit.audio import functional, transforms

ROOT = Path(__file__).parents[2]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "docs_exactness_audio", ROOT / "docs" / "exactness_audio.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_exactness_audio"] = module
    spec.loader.exec_module(module)
    return module


exactness = _load()
KEYS = [(case.title, case.reference) for case in exactness.CASES]
# what is far from its reference, and why that is so
EXPLAINED = {
    "Loudness(8000)": "the standard's filters, not torchaudio's",
    "sliding_window_cmn(log, 100, 50, True, True)": "sums of torchaudio in float32 lose places",
}


def table() -> dict[tuple[str, str], list[str]]:
    """(title, reference) -> its three cells, as the page has them."""
    row = re.compile(r"^\| `(.+)` \| (.*) \| (.*) \| (.*) \| (.*) \|$", re.M)
    rows = row.findall(exactness.PAGE.read_text(encoding="utf-8"))
    return {(title, reference): cells for title, reference, *cells in rows}


def test_the_page_has_a_row_per_case() -> None:
    assert sorted(table()) == sorted(KEYS)
    assert len(set(KEYS)) == len(KEYS)


def test_every_public_name_is_in_a_table_or_has_a_reason() -> None:
    measured = {case.name for case in exactness.CASES}
    left_out = {name for names in exactness.LEFT_OUT for name in names}
    public = {*functional.__all__, *transforms.__all__}
    assert measured | left_out == public, (public - measured - left_out, left_out - public)
    assert not measured & left_out
    told = {name for names in exactness.ON_PURPOSE for name in names.split(", ")}
    assert told <= public


@pytest.mark.parametrize("case", exactness.CASES, ids=lambda c: f"{c.title}-{c.reference}")
def test_a_row_says_what_is_measured(case: exactness.Case) -> None:
    torchaudio_or_skip()
    stated = dict(zip(exactness.COLUMNS, table()[case.title, case.reference], strict=True))
    worst = exactness.measure(case)
    for key, room in (("float64", 1e-12), ("float32", 2e-6)):
        # other processors round otherwise: some places more than the reference itself loses
        margin = room + (worst["own"] if key == "float32" else 0.0)
        assert worst[key] <= 3 * float(stated[key]) + margin, key


def test_no_row_is_far_off() -> None:
    for (title, _), (double, single, own) in table().items():
        if title not in EXPLAINED:
            assert float(double) <= 3e-7, title
            assert float(single) <= max(2e-5, 3 * float(own)), title
