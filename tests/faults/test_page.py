"""``docs/reliability.md`` shows what its script measures, and what it claims is in its table."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))  # the script adds to it
    spec = importlib.util.spec_from_file_location(
        "reliability", ROOT / "tests" / "benchmarks" / "reliability.py"
    )
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "reliability", module)
    spec.loader.exec_module(module)
    return module


def tables(script) -> list[list[list[str]]]:
    """The cells of the measured tables, row by row."""
    text = PAGE.read_text(encoding="utf-8").partition(script.BEGIN)[2].partition(script.END)[0]
    found: list[list[list[str]]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        before = line
    return found


def test_the_page_has_every_row(script):
    with_digest, without, processes = tables(script)
    names = [case.name for case in script.CASES]
    assert [row[0] for row in with_digest[2:]] == names
    assert [row[0] for row in without[2:]] == names
    columns = with_digest[0][1:] + without[0][1:]
    assert columns == [peer.name for peer in script.PEERS]
    assert [row[0] for row in processes[2:]] == columns


def test_what_is_claimed_is_in_the_table(script):
    with_digest, without, processes = tables(script)
    ours = [i for i, name in enumerate(with_digest[0]) if name.startswith("domainkit")]
    assert len(ours) == 2
    assert not [row for row in with_digest[2:] if any("**" in row[i] for i in ours)]
    believed = {row[0] for row in without[2:] if "**" in row[without[0].index("domainkit")]}
    # what nobody can tell without a digest, and nothing else
    assert believed == {
        "other bytes of the right length",
        "one flipped bit",
        "Content-Length too short",
    }
    assert not [row for row in processes[2:] if row[0].startswith("domainkit") and "**" in row[1]]
