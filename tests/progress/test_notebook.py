"""Bars in a notebook, with a stand-in for its output and with a real kernel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from domainkit import progress
from domainkit.progress import bar
from domainkit.progress.notebook import NotebookView

ROOT = Path(progress.__file__).parent.parent.parent


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What was shown, in order; all of it in one output."""
    import IPython.display

    found: list[dict[str, str]] = []

    class Handle:
        def update(self, page: dict[str, str], raw: bool) -> None:
            assert raw
            found.append(page)

    def display(page: dict[str, str], raw: bool, display_id: bool) -> Handle:
        assert raw and display_id and not found
        found.append(page)
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    return found


def test_shown_by_itself(pages: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    with bar("a < b", 10, "batches", enabled=False):
        pass
    assert pages == []
    with bar("a < b", 10, "batches") as shown:
        shown.advance(10)
    assert pages[0]["text/html"] == (
        '<div>a &lt; b <progress value="0" max="10">0 %</progress> 0/10 batches</div>'
    )
    assert pages[-1]["text/html"] == (
        '<div>a &lt; b <progress value="10" max="10">100 %</progress> '
        "done in 0 s, 10/10 batches</div>"
    )
    assert pages[-1]["text/plain"] == "a < b: done in 0 s, 10/10 batches"


def test_a_note_is_seen_at_once(pages: list[Any], clock: Any) -> None:
    view = NotebookView("x", 1000, "B")
    view.begin()
    clock.run(view, 2, lambda: view.advance(10))
    assert 6 <= len(pages) <= 11  # five a second
    assert re.fullmatch(r"x: 0.[12]/1.0 kB, 80 B/s, 1[01] s left", pages[-1]["text/plain"])
    count = len(pages)
    view.note("busy <503>; trying again in 4 s")
    view.tick()
    assert len(pages) == count + 1
    assert (
        "<br>&emsp;<em>busy &lt;503&gt;; trying again in 4 s</em></div>" in pages[-1]["text/html"]
    )
    assert pages[-1]["text/plain"].endswith(" left, busy <503>; trying again in 4 s")
    clock.run(view, 10)
    assert "0 B/s" in pages[-1]["text/html"]
    count = len(pages)
    clock.run(view, 10)
    assert len(pages) == count  # nothing new


def test_a_bar_that_is_over_moves_no_more(pages: list[Any]) -> None:
    view = NotebookView("x", 10, "rows")
    view.begin()
    assert "<progress" in pages[-1]["text/html"]
    view.close(False)
    assert pages[-1]["text/html"] == "<div>x stopped after 0 s, 0/10 rows</div>"
    pages.clear()
    view = NotebookView("wait", None, "rows")
    view.begin()
    assert pages[-1]["text/html"] == "<div>wait <progress></progress> </div>"
    view.close(True)
    assert pages[-1]["text/html"] == "<div>wait done in 0 s</div>"


CELLS = [
    f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    "import threading, time\nfrom domainkit.progress import bar, enable",
    "with bar('train.gz', 20, 'B') as shown:\n"
    "    for _ in range(5):\n        shown.advance(4); time.sleep(0.1)\n"
    "with bar('test.gz', 10, 'B') as shown:\n    shown.advance(10)",
    # from threads, as files are fetched: their output belongs to this cell
    "def work(n):\n"
    "    with bar(f'file {n}', 10) as shown:\n"
    "        for _ in range(10):\n            shown.advance(1); time.sleep(0.05)\n"
    "threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]\n"
    "[thread.start() for thread in threads]; [thread.join() for thread in threads];",
    # still open when the cell ends
    "held = bar('held', 10); shown = held.__enter__(); shown.advance(3)\n"
    "shown.note('another process is at it, waiting'); time.sleep(0.5)",
    "try:\n    with bar('fails', 10) as shown:\n        raise KeyError\nexcept KeyError: pass",
    "enable(False)\nwith bar('silent', 10) as shown:\n    shown.advance(10)",
    "enable(json=True)\nwith bar('machine', 10) as shown:\n    shown.advance(10)",
]


@pytest.mark.filterwarnings("default")  # what a kernel and its client warn of is theirs
def test_in_a_kernel() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells]
    _, two, threads, held, fails, silent, machine = outputs
    shown = [o.data for o in (*two, *threads, *held, *fails)]
    assert all(set(data) == {"text/html", "text/plain"} for data in shown)
    assert [o.data["text/plain"] for o in two] == [
        "train.gz: done in 1 s, 20/20 B",
        "test.gz: done in 0 s, 10/10 B",
    ]
    told = sorted(re.sub(r"in \d s", "in", o.data["text/plain"]) for o in threads)
    assert told == [f"file {n}: done in, 10/10 rows" for n in range(3)]
    (page,) = held
    assert page.data["text/plain"] == "held: 3/10 rows, another process is at it, waiting"
    assert '<progress value="3" max="10">' in page.data["text/html"]
    (page,) = fails
    assert page.data["text/html"] == "<div>fails stopped after 0 s, 0/10 rows</div>"
    assert silent == []
    assert {o.name for o in machine} == {"stderr"}
    assert '{"event": "done"' in machine[-1].text
