"""The timeline: a page that needs nothing, says what is true, and whose script runs."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from domainkit.loader.recorder import Recorder, Span
from domainkit.loader.stats import STAGES
from domainkit.profile import Profile, timeline_html
from domainkit.profile.timeline import COLOURS

EVIL = '</script><img src=x onerror="alert(1)"> @DATA@ & \\u003c'


def profile(title: str = "made up", thread: str = "w_0") -> Profile:
    recorder = Recorder()
    for k in range(3):
        at = 1_000_000 * k
        recorder.add("decode", at, at + 600_000, 8, k, thread=thread)
        recorder.add("wait", at, at + 700_000, 8, k, thread="main")
        recorder.add("step", at + 700_000, at + 1_000_000, 8, k, thread="main")
    return Profile(
        title=title,
        rate=1000.0,
        input_rate=1100.0,
        model_rate=4000.0,
        stats=recorder.stats(),
        input_cores=1.0,
        idle_cores=7.0,
        device="cpu",
        batch_size=8,
        num_threads=1,
        num_processes=0,
        prefetch=4,
        cpus=8,
        torch_threads=1,
        accelerator=False,
        recorder_share=0.0004,
        spans=tuple(recorder.spans()),
    )


class Page(HTMLParser):
    """Elements that were opened and not closed, attributes, and the texts by element."""

    VOID = ("meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def data(page: Page) -> dict[str, Any]:
    return json.loads(page.texts["script"][0])


def test_it_loads_nothing_and_is_sound() -> None:
    text = timeline_html(profile())
    page = Page(text)
    assert page.open == []
    loads = {"src", "href", "srcset", "data", "action"}
    assert not [found for found in page.attributes if found[1] in loads]
    assert not re.search(r"https?:|url\(|@import|import\(|fetch\(|@[A-Z_]+@", text)
    policy = next(v for _, k, v in page.attributes if k == "content" and v and "default-src" in v)
    assert policy.startswith("default-src 'none'")
    assert "prefers-color-scheme: dark" in text


def test_it_shows_the_verdict_and_all_numbers() -> None:
    found = profile()
    page = Page(timeline_html(found))
    assert found.verdict.line in page.texts["div"]
    cells = page.texts["td"] + page.texts["th"]
    for row in found.stats.rows()[1:]:
        for cell in row[:-1]:
            assert cell in cells
    assert {*found.rates, "1,000", "1,100", "4,000"} <= set(cells)
    assert "0.04 %" in " ".join(page.texts["p"])


def test_the_spans_are_those_recorded() -> None:
    found = profile()
    told = data(Page(timeline_html(found)))
    assert told["rows"] == ["main", "w_0"] and told["stages"] == list(STAGES)
    back = [
        Span(
            STAGES[stage],
            told["rows"][row],
            round(start * 1e3),
            round((start + took) * 1e3),
            samples,
            batch,
        )
        for stage, row, _, start, took, samples, batch in told["spans"]
    ]
    assert sorted(back) == sorted(found.spans)


def test_names_are_shown_and_do_nothing() -> None:
    page = Page(timeline_html(profile(EVIL, thread=EVIL)))
    assert page.open == [] and not [found for found in page.attributes if found[0] == "img"]
    assert page.texts["h1"] == [EVIL] and page.texts["title"] == [EVIL]
    assert EVIL in data(page)["rows"]


def test_without_spans_or_a_model() -> None:
    page = Page(timeline_html(dataclasses.replace(profile(), spans=(), model_rate=None)))
    assert data(page)["spans"] == [] and "the loader alone" in page.texts["th"]


def test_stages_have_colours_of_their_own() -> None:
    assert set(COLOURS) == set(STAGES) and len(set(COLOURS.values())) == len(STAGES)


def test_it_is_written_to_a_file(tmp_path: Path) -> None:
    found = profile("à la carte")
    found.to_html(tmp_path / "t.html")
    assert (tmp_path / "t.html").read_text(encoding="utf-8") == timeline_html(found)


# -- its script --------------------------------------------------------------------------------

node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def drawn(tmp_path: Path, *events: tuple[str, str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What the page draws at first and after each event."""
    profile().to_html(tmp_path / "t.html")
    harness = Path(__file__).parent.parent / "support" / "canvas.js"
    done = subprocess.run(
        ["node", harness, tmp_path / "t.html", json.dumps(events)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def boxes(drawing: dict[str, Any], colour: str) -> list[list[float]]:
    return [box for painted, *box in drawing["rects"] if painted == colour]


@node
def test_spans_are_drawn_to_scale(tmp_path: Path) -> None:
    (first,) = drawn(tmp_path)
    waits, steps = boxes(first, COLOURS["wait"]), boxes(first, COLOURS["step"])
    decodes = boxes(first, COLOURS["decode"])
    assert len(waits) == len(steps) == len(decodes) == 3
    assert steps[0][2] / waits[0][2] == pytest.approx(3 / 7)
    assert decodes[1][0] == pytest.approx(waits[1][0])  # they start at the same moment
    assert decodes[0][1] > waits[0][1]  # in the row below
    assert steps[-1][0] + steps[-1][2] == pytest.approx(1000)  # up to the right edge
    assert {text for text, *_ in first["texts"]} >= {"main", "w_0", "0 ms", "1 ms", "2 ms"}


@node
def test_zoom_move_and_back(tmp_path: Path) -> None:
    key = "keydown"
    first, near, *_, whole = drawn(
        tmp_path,
        ("in", "click", {}),
        ("canvas", key, {"key": "ArrowRight"}),
        ("canvas", "wheel", {"deltaX": 0, "deltaY": -100, "offsetX": 500}),
        ("canvas", "pointerdown", {"offsetX": 500}),
        ("canvas", "pointermove", {"offsetX": 300, "offsetY": 30}),
        ("canvas", "pointerup", {}),
        ("canvas", key, {"key": "0"}),
    )
    wide = boxes(first, COLOURS["wait"])[1][2]
    assert boxes(near, COLOURS["wait"])[-1][2] == pytest.approx(2 * wide)
    assert whole["rects"] == first["rects"]


@node
def test_what_is_under_the_pointer(tmp_path: Path) -> None:
    _, over, beside = drawn(
        tmp_path,
        ("canvas", "pointermove", {"offsetX": 999, "offsetY": 30}),
        ("canvas", "pointermove", {"offsetX": 999, "offsetY": 200}),
    )
    assert over["shown"] == "block" and beside["shown"] == "none"
    assert over["tip"].splitlines() == [
        "step, 300.0 µs (37.5 µs per sample)",
        "batch 2, 8 samples",
        "at 2.700 ms, main",
    ]
