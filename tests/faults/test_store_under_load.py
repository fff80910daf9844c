"""Processes that read a store while others prepare and remove beside it: every row stays right.

The processes are real ones. One is held in the middle of preparing until the readers have read
through everything once more, so all of it overlaps whoever is faster.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.own_card import write_card
from support.slow_card import ROWS

import domainkit
from domainkit.cards import parse_card
from domainkit.prepare import prepare
from domainkit.prepared import all_prepared, store_leftovers

pytestmark = pytest.mark.usefixtures("home")

PATIENCE = 180.0  # seconds; three processes import torch at once

READER = """
import sys
import numpy as np
import domainkit as dk
from support.slow_card import right
for line in sys.stdin:
    split, wrong = line.strip(), 0
    ds = dk.load_dataset("vision/own", split)
    order = np.random.default_rng(len(ds)).permutation(len(ds))
    rows = [ds[i] for i in order.tolist()]
    wrong += sum(not right(split, int(i), row) for i, row in zip(order, rows, strict=True))
    wrong += int((ds._source.take(order, "number") != [row["number"] for row in rows]).sum())
    print(split, len(rows), wrong, flush=True)
"""
PREPARER = """
import sys
import domainkit as dk
ds = dk.load_dataset("vision/own", sys.argv[1])
print("done", len(ds), flush=True)
"""


class Process:
    """A process that is told lines and answers in lines."""

    def __init__(self, code: str, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # so that ``select`` knows of every line
            cwd=Path(domainkit.__file__).parents[1],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    def hear(self) -> str:
        assert self.process.stdout is not None and self.process.stderr is not None
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], "it says nothing"
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read().decode()
        return line.decode().strip()


@contextmanager
def processes(*codes: tuple[str, ...]) -> Iterator[list[Process]]:
    made = [Process(*code) for code in codes]
    try:
        yield made
    finally:
        for one in made:
            if one.process.poll() is None:
                one.process.kill()
            one.process.communicate()


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``vision/own`` with two splits; preparing "test" waits half-way."""
    features = {
        "number": {"type": "Int"},
        "word": {"type": "Text"},
        "tokens": {"type": "Tokens"},
        "grid": {"type": "Tensor", "dtype": "int32", "shape": [2, 2]},
    }
    splits = {
        split: {
            "rows": rows,
            "reader": "support.slow_card:read_rows",
            "files": {"lines": "rows"},
            "wait": split == "test",
        }
        for split, rows in ROWS.items()
    }
    monkeypatch.setenv("DOMAINKIT_CARDS", str(tmp_path / "cards"))
    return write_card(tmp_path / "cards", {"features": features, "splits": splits})


def test_two_read_while_a_third_prepares_another_split(card: Path) -> None:
    prepare(parse_card(card), "train")
    with processes((READER,), (READER,), (PREPARER, "test")) as (one, two, third):
        readers = (one, two)
        for reader in readers:
            reader.tell("train")
        assert third.hear() == "half"
        for _ in range(2):  # the second time is begun after it stands half-way
            for reader in readers:
                assert reader.hear() == f"train {ROWS['train']} 0"
                reader.tell("train")
        third.tell("go on")
        for reader in readers:
            reader.tell("test")  # waits for it, then reads it
        assert third.hear() == f"done {ROWS['test']}"
        for reader in readers:
            assert reader.hear() == f"train {ROWS['train']} 0"
            assert reader.hear() == f"test {ROWS['test']} 0"
    assert sorted(split.split for split in all_prepared("vision/own")) == ["test", "train"]
    assert list(store_leftovers()) == []


def test_a_store_that_is_removed_is_read_to_the_end(card: Path) -> None:
    store = prepare(parse_card(card), "train")
    with processes((PREPARER, "test")) as (third,):
        assert third.hear() == "half"
        third.process.kill()  # it leaves half a store, under another name
        third.process.wait()
    assert [left.why for left in store_leftovers()] == ["of a stopped run"]
    (split,) = all_prepared("vision/own")
    assert store.raw(3)["number"] == 3
    assert split.take()
    assert [store.raw(i)["number"] for i in range(ROWS["train"])] == list(range(ROWS["train"]))
