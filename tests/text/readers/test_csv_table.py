"""The csv reader against Python's csv module, and on files that are wrong."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.publishers_text import AG_NEWS, make_ag_news

from domainkit.cards import load_card
from domainkit.errors import ArchiveError, ReaderError
from domainkit.prepare import find_reader
from domainkit.text.readers.csv_table import read_csv

HEADED = 'text,label,split\nGood,1,train\n"Bad, bad",0,test\nFine,1,train\n'


def table(tmp_path: Path, content: str | bytes) -> dict[str, Path]:
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return {"table": path}


def published(name: str, split: str, made: dict[str, Path]) -> list[dict[str, Any]]:
    card = load_card(name)
    spec = card.splits[split]
    files = {role: made[key] for role, key in spec.files.items()}
    return list(find_reader(card, spec)(files, split, **spec.args))


@pytest.mark.parametrize("split", ["train", "test"])
def test_ag_news_equals_the_csv_module(tmp_path: Path, split: str) -> None:
    made = make_ag_news(tmp_path)
    before = csv.field_size_limit(2**31 - 1)
    try:
        with made[split].open(encoding="utf-8", newline="") as file:
            truth = list(csv.reader(file))
    finally:
        csv.field_size_limit(before)
    rows = published("text/ag-news", split, made)
    assert [(r["label"] + 1, r["title"], r["text"]) for r in rows] == [
        (int(label), title, text) for label, title, text in truth
    ]
    assert [(r["label"] + 1, r["title"], r["text"]) for r in rows] == AG_NEWS[split]
    assert csv.field_size_limit() == before


def test_the_embedded_set_equals_the_csv_module() -> None:
    file = load_card("text/sentiment-sentences").files["sentences"].path
    assert file is not None
    with file.open(encoding="utf-8", newline="") as text:
        truth = list(csv.DictReader(text))
    for split, rows in (("train", 2417), ("test", 583)):
        got = published("text/sentiment-sentences", split, {"sentences": file})
        assert got == [
            {"text": r["text"], "label": int(r["label"]), "source": r["source"]}
            for r in truth
            if r["split"] == split
        ]
        assert len(got) == rows


@given(
    rows=st.lists(
        st.tuples(st.text(), st.text(min_size=1)).filter(lambda r: "\0" not in r[0] + r[1]),
        min_size=1,
        max_size=8,
    ),
    dialect=st.sampled_from([(",", '"'), ("\t", '"'), (";", "'")]),
)
def test_whatever_csv_writes_reads_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    dialect: tuple[str, str],
) -> None:
    out = io.StringIO(newline="")
    delimiter, quote = dialect
    csv.writer(out, delimiter=delimiter, quotechar=quote, quoting=csv.QUOTE_ALL).writerows(rows)
    files = table(tmp_path_factory.mktemp("csv"), out.getvalue().encode("utf-8", "surrogatepass"))
    got = read_csv(files, "all", columns=["a", "b"], header=False, delimiter=delimiter, quote=quote)
    assert [(r["a"], r["b"]) for r in got] == rows


def test_columns_by_name_renamed_and_chosen_by_value(tmp_path: Path) -> None:
    files = table(tmp_path, HEADED)
    columns = ["sentence=text", "label"]
    train = list(read_csv(files, "train", columns=columns, where_column="split", label_offset=0))
    assert train == [{"sentence": "Good", "label": 1}, {"sentence": "Fine", "label": 1}]
    other = read_csv(files, "x", columns=["text"], where_column="split", where_value="test")
    assert list(other) == [{"text": "Bad, bad"}]
    assert len(list(read_csv(files, "anything", columns=["text"]))) == 3


def test_columns_by_position(tmp_path: Path) -> None:
    files = table(tmp_path, "1,a,b\n2,c,d\n")
    rows = list(read_csv(files, "x", columns=["label", "", "text"], header=False, label_offset=1))
    assert rows == [{"label": 0, "text": "b"}, {"label": 1, "text": "d"}]


def test_tabs_without_quoting(tmp_path: Path) -> None:
    files = table(tmp_path, '"open\tand" shut\r\nnext\tone\r\n')
    rows = list(read_csv(files, "x", columns=["a", "b"], header=False, delimiter="\t", quote=""))
    assert rows == [{"a": '"open', "b": 'and" shut'}, {"a": "next", "b": "one"}]


@pytest.mark.parametrize("ending", ["", "\n", "\r\n\r\n"])
def test_byte_order_mark_gzip_and_blank_lines_at_the_end(tmp_path: Path, ending: str) -> None:
    packed = gzip.compress(("\ufefftext\nhé" + ending).encode())
    assert list(read_csv(table(tmp_path, packed), "x", columns=["text"])) == [{"text": "hé"}]


def test_two_readers_at_once_leave_the_limit_as_it_was(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    files = table(tmp_path, f"{'x' * 200_000}\n{'y' * 200_000}\n")
    first, second = (read_csv(files, "x", columns=["a"], header=False) for _ in range(2))
    assert len(next(first)["a"]) == len(next(second)["a"]) == 200_000
    first.close()  # type: ignore[attr-defined]
    assert csv.field_size_limit() > before
    assert len(next(second)["a"]) == 200_000 and next(second, None) is None
    assert csv.field_size_limit() == before


def test_holds_little(tmp_path: Path) -> None:
    files = table(tmp_path, b"text\n" + b"some words in a row\n" * 200_000)
    tracemalloc.start()
    count = sum(1 for _ in read_csv(files, "x", columns=["text"]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 200_000 and peak < 2e6


@pytest.mark.parametrize(
    ("content", "args", "message"),
    [
        (HEADED + "one,0\n", {}, r"table.csv line 5: expected 3 fields, got 2"),
        (HEADED + "a,b,c,d\n", {}, "line 5: expected 3 fields, got 4"),
        (HEADED + "\nGood,1,train\n", {}, "line 5: expected a row, the line is blank"),
        (HEADED, {"columns": ["txt"]}, "expected a column 'txt', its columns are text, label, "),
        (HEADED, {"where_column": "part"}, "expected a column 'part'"),
        (HEADED, {"where_column": "split", "where_value": "dev"}, "split = 'dev' .* found none"),
        (HEADED + "x,yes,train\n", {"label_offset": 0}, "line 5: .*whole number as label, got 'ye"),
        (HEADED, {"columns": ["text"], "label_offset": 0}, "whole number as label, got None"),
        (HEADED + '"never ends,1,train\n', {}, "ends inside a quoted field"),
        (b"text\nok\nf\xfcnf\n", {"columns": ["text"]}, "not UTF-8"),
        ("text,text\na,b\n", {}, "two columns have one name"),
        ("", {}, "expected a column 'text', its columns are none"),
        ("text\n", {"columns": ["text"]}, "found none"),
        (HEADED, {"delimiter": ",,"}, "delimiter must be one character"),
        (HEADED, {"header": False, "where_column": "split"}, "where_column needs a header"),
    ],
)
def test_wrong_files(
    tmp_path: Path, content: str | bytes, args: dict[str, Any], message: str
) -> None:
    args = {"columns": ["text", "label"], **args}
    with pytest.raises(ReaderError, match=message):
        list(read_csv(table(tmp_path, content), "train", **args))


def test_a_missing_or_cut_off_file_is_an_archive_error(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"nothing\.csv"):
        list(read_csv({"table": tmp_path / "nothing.csv"}, "train", columns=["text"]))
    files = table(tmp_path, gzip.compress(HEADED.encode())[:-9])
    with pytest.raises(ArchiveError, match="cut off"):
        list(read_csv(files, "train", columns=["text"]))
