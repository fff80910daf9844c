"""The page that says how exact the vision transforms are, held to what is measured."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_exactness", ROOT / "docs" / "exactness.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_exactness"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


exactness = _load()
COLUMNS = ("uint8", "rounded", "float32")


def table() -> dict[str, list[str]]:
    """Title -> its three cells, as the page has them."""
    rows = re.findall(r"^\| `(.+)` \| (.*) \| (.*) \| (.*) \|$", exactness.PAGE.read_text(), re.M)
    return {title: cells for title, *cells in rows}


def test_the_page_has_a_row_per_case() -> None:
    assert list(table()) == [case.title for case in exactness.CASES]


@pytest.mark.parametrize("case", exactness.CASES, ids=lambda case: case.title)
def test_a_row_says_what_is_measured(case: exactness.Case) -> None:
    stated = dict(zip(COLUMNS, table()[case.title], strict=True))
    worst = exactness.measure(case)
    assert {key for key in COLUMNS if stated[key]} == set(worst)
    for key, value in worst.items():
        # other processors round otherwise: a level, or a unit in the last places, of an angle's
        # sine too, which moves points
        room = 1.0 if key != "float32" else 2e-6 + 0.5 * float(stated[key])
        assert value <= float(stated[key]) + room, key


def test_no_row_is_far_off() -> None:
    """Within a level or two of torchvision, or the page would have to say why."""
    explained = {title for title in table() if "bicubic" in title}
    for title, (bytes_, _, floats) in table().items():
        if title in explained:
            continue
        assert float(bytes_ or 0) <= 1, title
        assert float(floats or 0) <= 1e-4, title


@pytest.mark.parametrize("case", exactness.NEAREST, ids=lambda case: case.title)
def test_few_values_fall_to_the_other_pixel(case: exactness.Case) -> None:
    stated = dict(re.findall(r"^\| `(.+)` \| ([\d.e+-]+) \|$", exactness.PAGE.read_text(), re.M))
    assert float(stated[case.title]) < 2e-3
    assert exactness.share(case) < 2e-3
