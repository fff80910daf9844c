"""The page that says how exact the audio transforms are, held to what is measured."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support.peers import torchaudio_or_skip

ROOT = Path(__file__).parents[2]


def _load() -> ModuleType:
    file = ROOT / "docs" / "exactness_audio.py"
    spec = importlib.util.spec_from_file_location("docs_exactness_audio", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_exactness_audio"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


exactness = _load()


def table() -> dict[str, list[str]]:
    """Title -> its two figures, as the page has them."""
    rows = re.findall(r"^\| `(.+)` \| .* \| (\S+) \| (\S+) \|$", exactness.PAGE.read_text(), re.M)
    return {title: cells for title, *cells in rows}


def test_the_page_has_a_row_per_case() -> None:
    assert list(table()) == [case.title for case in exactness.CASES]


@pytest.mark.parametrize("case", exactness.CASES, ids=lambda case: case.title)
def test_a_row_says_what_is_measured(case: exactness.Case) -> None:
    torchaudio_or_skip()
    stated = [float(cell) for cell in table()[case.title]]
    measured = exactness.measure(case)
    # other processors round otherwise
    for said, seen, room in zip(stated, measured.values(), (2e-6, 1e-9), strict=True):
        assert seen <= 3 * said + room


def test_no_row_is_far_off() -> None:
    for title, (single, double) in table().items():
        assert float(single) < 1e-4, title
        assert float(double) < 1e-5, title
