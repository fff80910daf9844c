"""The speed of the last few seconds, and the words for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainkit.progress import words
from domainkit.progress.speed import Speed


def marked(speed: Speed, start: float, seconds: float, per_second: float, count: float) -> float:
    for tenth in range(1, round(10 * seconds) + 1):
        speed.mark(start + tenth / 10, round(count + per_second * tenth / 10))
    return count + per_second * seconds


def test_speed_forgets_what_was_long_ago() -> None:
    speed = Speed(0.0)
    count = marked(speed, 0, 100, 1000, 0)
    assert speed.per_second(100) == pytest.approx(1000)
    marked(speed, 100, 5, 50, count)
    assert speed.per_second(105) == pytest.approx(50)


def test_a_stall_is_no_speed_within_seconds() -> None:
    speed = Speed(0.0)
    marked(speed, 0, 60, 1000, 0)
    assert 400 < speed.per_second(62) < 900  # it sinks at once
    assert speed.per_second(64.2) == 0
    assert speed.per_second(1000) == 0
    marked(speed, 1000, 5, 300, 60_000)  # and it goes on
    assert speed.per_second(1005) == pytest.approx(300)


def test_steps_of_many_seconds_are_no_stall() -> None:
    speed = Speed(0.0)
    for step in range(1, 9):
        speed.mark(20.0 * step, step)
    for later in (0, 5, 15, 20):
        assert speed.per_second(160 + later) == pytest.approx(1 / 20)
    assert 0 < speed.per_second(200) < 1 / 20
    assert speed.per_second(221) == 0


def test_nothing_yet() -> None:
    speed = Speed(5.0)
    assert speed.per_second(5.0) == speed.per_second(8.0) == speed.per_second(50.0) == 0
    speed.mark(5.0, 10)  # no time has passed
    assert speed.per_second(5.0) == 0


def test_few_marks_are_kept() -> None:
    speed = Speed(0.0)
    marked(speed, 0, 1000, 7, 0)
    assert len(speed._marks) < 50


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (7320, "2 h 02 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("per_second", "unit", "text"),
    [
        (0, "B", "0 B/s"),
        (3, "B", "3 B/s"),
        (2.5e12, "B", "2.5 TB/s"),
        (0, "rows", "0 rows/s"),
        (0.0417, "batches", "0.042 batches/s"),
        (9.96, "rows", "10 rows/s"),
        (12345.6, "rows", "12,346 rows/s"),
    ],
)
def test_rates(per_second: float, unit: str, text: str) -> None:
    assert words.rate(per_second, unit) == text


@given(st.text(max_size=60), st.integers(0, 40), st.sampled_from(["...", "…"]))
def test_shortened_text_fits_and_keeps_both_ends(text: str, width: int, dots: str) -> None:
    from rich.cells import cell_len

    short = words.shorten(text, width, dots, cell_len)
    assert cell_len(short) <= width
    if cell_len(text) <= width:
        assert short == text
    elif width >= 8:
        head, _, tail = short.partition(dots)
        assert text.startswith(head) and text.endswith(tail)


@given(st.text(max_size=60))
def test_cleaned_text_is_one_line_that_no_terminal_obeys(text: str) -> None:
    assert words.clean(text).isprintable()
    assert words.clean(words.clean(text)) == words.clean(text)
