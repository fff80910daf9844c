"""Preparing: once for any number of processes, anew when the card changes, and never half."""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from support import faults
from support.own_card import ROWS, write_card
from support.server import FileServer, Handler

import domainkit as dk
from domainkit import cache
from domainkit.cache.partial import Partial
from domainkit.cards import FileSpec, load_card, parse_card
from domainkit.dataset import Dataset
from domainkit.errors import (
    CardError,
    DigestError,
    FetchError,
    ManualError,
    NotFoundError,
    ReaderError,
    StoreError,
)
from domainkit.prepare import fetch_files, find_reader, prepare
from domainkit.prepared import fingerprint, prepared_folder

EXPECTED = [
    {"word": "null", "number": 0},
    {"word": "eins", "number": 1},
    {"word": "zwölf", "number": 12},
]


@pytest.fixture
def own(tmp_path, monkeypatch, fresh_home):
    """Writes the private card with changes and returns it parsed; the cache is empty."""
    monkeypatch.setenv("DOMAINKIT_CARDS", str(tmp_path / "cards"))
    return functools.partial(_own, tmp_path / "cards")


def _own(folder: Path, changes: dict | None = None, rows: str = ROWS):
    return parse_card(write_card(folder, changes, rows))


def runs(marker: Path) -> int:
    return len(marker.read_text().splitlines()) if marker.exists() else 0


def test_a_private_dataset_by_name(own, fresh_home):
    own()
    assert "vision/own" in dk.list_datasets("vision")
    ds = dk.load_dataset("vision/own")
    assert list(ds) == EXPECTED
    assert ds.info == {"name": "vision/own", "split": "train", "license": "CC0-1.0"}
    assert ds._source.folder.parent == fresh_home / "prepared" / "vision" / "own"
    assert ds.fingerprint == fingerprint(load_card("vision/own"), "train")


def test_the_reader_runs_once(own, tmp_path):
    marker = tmp_path / "marker"
    card = own({"splits.train.marker": str(marker)})
    for _ in range(3):
        assert list(Dataset(prepare(card, "train"))) == EXPECTED
    assert runs(marker) == 1


def _open_and_report(barrier, results) -> None:
    barrier.wait()
    results.put((os.getpid(), list(dk.load_dataset("vision/own", "train"))))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_four_processes_at_once_prepare_once(own, tmp_path):
    marker = tmp_path / "marker"
    words = "".join(f"word{i} {i}\n" for i in range(3000))
    own({"splits.train.marker": str(marker)}, words)
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.SimpleQueue()
    processes = [
        context.Process(target=_open_and_report, args=(barrier, results)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    reports = dict(results.get() for _ in processes)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(reports) == 4
    truth = [{"word": f"word{i}", "number": i} for i in range(3000)]
    assert all(rows == truth for rows in reports.values())
    assert runs(marker) == 1


CHANGES = [
    {"splits.train.upper": True},
    {"features": {"number": {"type": "Int"}, "word": {"type": "Text"}}},  # the columns' order
    {"features.number": {"type": "Float"}},
    {"splits.train.reader": "support.own_card:read_rows", "splits.train.fail": 9},
    {"files.rows.sha256": None},
    {"files.rows.md5": hashlib.md5(ROWS.encode()).hexdigest(), "files.rows.sha256": None},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_change_of_the_card_prepares_anew(own, tmp_path, changes):
    marker = tmp_path / "marker"
    first = prepare(own({"splits.train.marker": str(marker)}), "train")
    second = prepare(own({"splits.train.marker": str(marker), **changes}), "train")
    assert runs(marker) == 2
    assert first.folder != second.folder
    assert first.fingerprint != second.fingerprint
    assert list(second.features) == list(load_card("vision/own").features)
    assert first.raw(1)["number"] == 1  # the old one stays for those who have it open
    if "splits.train.upper" in changes:
        assert list(Dataset(second)["word"]) == ["NULL", "EINS", "ZWÖLF"]


def test_changed_files_are_read_anew(own):
    assert len(prepare(own(), "train")) == 3
    assert list(Dataset(prepare(own(rows="neu 7\n"), "train"))) == [{"word": "neu", "number": 7}]


def touch(file: Path, data: str, seconds: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(data, encoding="utf-8")
    os.utime(file, (seconds, seconds))


@pytest.mark.parametrize("kind", ["path", "manual"])
@pytest.mark.parametrize(
    ("data", "seconds"), [("neu 77\n", 1000), ("neu 7\n", 1001)], ids=["size", "time"]
)
def test_a_file_without_digest_is_read_anew_when_it_changes(
    own, tmp_path, fresh_home, kind, data, seconds
):
    changes = {"files.rows.sha256": None, "files.rows.size": None, "splits.train.rows": None}
    file = tmp_path / "cards" / "vision" / "own" / "rows.txt"
    if kind == "manual":
        changes |= {"files.rows.path": None, "files.rows.manual": "Ask."}
        file = fresh_home / "manual" / "vision" / "own" / "rows"
    marker = tmp_path / "marker"
    card = own({**changes, "splits.train.marker": str(marker)})
    touch(file, "alt 1\n", 1000)
    first = prepare(card, "train")
    assert prepare(card, "train").folder == first.folder
    assert runs(marker) == 1
    touch(file, data, seconds)
    assert Dataset(prepare(card, "train"))[0]["word"] == "neu"
    assert runs(marker) == 2


def test_a_file_with_a_digest_may_be_touched_or_gone(own, tmp_path):
    card = own()
    first = prepared_folder(card, "train")
    file = tmp_path / "cards" / "vision" / "own" / "rows.txt"
    os.utime(file, (1000, 1000))
    assert prepared_folder(card, "train") == first
    file.unlink()
    assert prepared_folder(card, "train") == first


def test_an_absent_file_without_digest_is_told_by_prepare(own, tmp_path):
    card = own({"files.rows.sha256": None})
    (tmp_path / "cards" / "vision" / "own" / "rows.txt").unlink()
    assert len(fingerprint(card, "train")) == 32
    with pytest.raises(CardError, match=r"files\.rows: there is no file"):
        prepare(card, "train")


def test_a_new_version_of_the_readers_prepares_anew(own, monkeypatch):
    first = prepared_folder(own(), "train")
    monkeypatch.setattr("domainkit.prepared.places.READERS_VERSION", 2)
    assert prepared_folder(own(), "train") != first


@pytest.mark.parametrize(
    "changes",
    [{"summary": "x"}, {"homepage": "https://example.org/new"}, {"splits.train.rows": None}],
    ids=str,
)
def test_a_change_of_words_does_not(own, tmp_path, changes):
    marker = tmp_path / "marker"
    first = prepare(own({"splits.train.marker": str(marker)}), "train")
    second = prepare(own({"splits.train.marker": str(marker), **changes}), "train")
    assert runs(marker) == 1
    assert first.folder == second.folder


def test_moving_the_cards_does_not(own, tmp_path, monkeypatch):
    first = prepared_folder(own(), "train")
    moved = parse_card(write_card(tmp_path / "elsewhere"))
    assert prepared_folder(moved, "train") == first


def test_splits_are_prepared_apart(own):
    second = {
        "rows": 3,
        "reader": "support.own_card:read_rows",
        "files": {"lines": "rows"},
        "upper": True,
    }
    own({"splits.test": second})
    assert dk.load_dataset("vision/own", "test")["word"] == ["NULL", "EINS", "ZWÖLF"]
    both = dk.load_dataset("vision/own", "train[1:]+test[:1]")
    assert both["word"] == ["eins", "zwölf", "NULL"]
    with pytest.raises(NotFoundError, match="several splits: choose one of train, test"):
        dk.load_dataset("vision/own")


# -- what goes wrong ---------------------------------------------------------------------------


def left(home: Path) -> list[str]:
    """Everything below prepared/ that is not a folder on the way."""
    return [str(p) for p in (home / "prepared").glob("*/*/*")]


def test_a_wrong_number_of_rows_leaves_nothing(own, fresh_home):
    message = "vision/own, train: expected 4 rows, the files hold 3"
    with pytest.raises(ReaderError, match=message):
        prepare(own({"splits.train.rows": 4}), "train")
    assert left(fresh_home) == []
    assert len(prepare(own(), "train")) == 3


def test_a_failing_reader_leaves_nothing(own, fresh_home):
    with pytest.raises(
        ReaderError, match=r"vision/own, train: rows\.txt: line 1 is not to be read"
    ):
        prepare(own({"splits.train.fail": 1}), "train")
    assert left(fresh_home) == []


def test_a_value_that_does_not_fit_is_named(own):
    with pytest.raises(ReaderError, match="vision/own, train: row 1, column 'number'"):
        prepare(own(rows="a 1\nb x\n"), "train")


def test_what_a_killed_prepare_left_is_swept(own, fresh_home):
    card = own()
    folder = prepared_folder(card, "train")
    begun = folder.parent / f".{folder.name}.abc"
    begun.mkdir(parents=True)
    (begun / "part-00000.arrow").write_bytes(b"half")
    folder.mkdir()  # and a folder of the right name that holds no store
    (folder / "part-00000.arrow").write_bytes(b"half")
    assert list(Dataset(prepare(card, "train"))) == EXPECTED
    assert left(fresh_home) == [str(folder)]


def test_a_damaged_store_says_what_to_do(own):
    card = own()
    folder = prepare(card, "train").folder
    (folder / "store.json").write_text("{")
    with pytest.raises(StoreError, match="run `domainkit cache rm vision/own` and prepare again"):
        prepare(card, "train")


def test_a_wrong_embedded_file_is_refused(own, fresh_home):
    card = own()
    card.files["rows"].path.write_text(ROWS.replace("1", "2"), encoding="utf-8")
    with pytest.raises(DigestError, match=r"rows\.txt.*expected sha256:"):
        prepare(card, "train")
    card.files["rows"].path.write_text(ROWS + "more 1\n", encoding="utf-8")
    with pytest.raises(DigestError, match=r"rows\.txt.*bytes"):
        prepare(card, "train")
    card.files["rows"].path.unlink()
    with pytest.raises(CardError, match=r"own\.toml: files\.rows: there is no file"):
        prepare(card, "train")
    assert left(fresh_home) == []


def test_a_file_that_a_person_fetches(own, fresh_home):
    digest = hashlib.sha256(ROWS.encode()).hexdigest()
    card = own(
        {"files.rows": {"manual": "Sign the form at https://example.org.", "sha256": digest}}
    )
    with pytest.raises(ManualError, match=r"Sign the form at https://example\.org\.") as caught:
        prepare(card, "train")
    place = fresh_home / "manual" / "vision" / "own" / "rows"
    assert str(place) in str(caught.value)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    with pytest.raises(DigestError):
        prepare(card, "train")
    place.write_bytes(ROWS.encode())
    assert list(Dataset(prepare(card, "train"))) == EXPECTED


def test_an_unknown_split(own):
    with pytest.raises(NotFoundError, match=r"has no split 'trian'\. Did you mean 'train'"):
        prepare(own(), "trian")


# -- readers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        ("idxx", r"there is no reader 'idxx' for vision\. Did you mean 'idx'"),
        ("", "there is no reader '' for vision"),
        ("no.such.module:read", "cannot be loaded: No module named"),
        ("support.own_card:no_such", "cannot be loaded: .*no_such"),
        ("support.own_card:", "cannot be loaded"),
        (":read_rows", "cannot be loaded"),
        (".own_card:read_rows", "cannot be loaded"),
        ("support.own_card:not_a_reader", "not a callable"),
    ],
)
def test_unknown_readers_are_refused_by_file_and_split(own, reader, message):
    card = own({"splits.train.reader": reader})
    with pytest.raises(CardError, match=rf"own\.toml: splits\.train: .*{message}"):
        find_reader(card, card.split("train"))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"uper": True}, "unexpected keyword argument 'uper'"),
        ({"split": "x"}, "multiple values for argument 'split'"),
    ],
)
def test_arguments_that_the_reader_does_not_take(own, args, message):
    card = own({f"splits.train.{key}": value for key, value in args.items()})
    with pytest.raises(CardError, match=rf"own\.toml: splits\.train: reader .*{message}"):
        prepare(card, "train")


def test_only_the_files_of_a_split_are_fetched(own):
    card = own({"files.other": {"manual": "Nobody has it."}})
    assert len(prepare(card, "train")) == 3
    assert fetch_files(card, {}) == {}
    assert fetch_files(card, {"a": "rows", "b": "rows"}).keys() == {"a", "b"}


def test_fingerprints_do_not_depend_on_the_process(own):
    # hash() differs from process to process; this must not
    card = own()
    text = json.dumps(
        {
            "args": {},
            "features": {"number": {"type": "Int"}, "word": {"type": "Text"}},
            "files": {"lines": "sha256:" + hashlib.sha256(ROWS.encode()).hexdigest()},
            "layout": 2,
            "name": "vision/own",
            "order": ["word", "number"],
            "reader": "support.own_card:read_rows",
            "readers": 1,
            "split": "train",
        }
    )
    expected = hashlib.sha256(text.encode()).hexdigest()[:32]
    assert fingerprint(card, "train") == expected


def test_a_file_that_is_missing_ends_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_home: Path
) -> None:
    (tmp_path / "big").write_bytes(bytes(3_000_000))
    with FileServer(tmp_path) as server:
        came, write = threading.Event(), Partial.write

        def noticed(self: Partial, index: int, data: bytes, at: int) -> None:
            write(self, index, data, at)
            if self.held == 2_000_000:
                came.set()

        def late(handler: Handler) -> None:
            came.wait(60)
            handler.reply(404)

        monkeypatch.setattr(Partial, "write", noticed)
        server.faults["/gone"] = [late]
        server.faults["/big"] = [faults.hold_after(2_000_000)]
        spec = FileSpec(key="big", urls=(f"{server.url}/big",))
        gone = FileSpec(key="gone", urls=(f"{server.url}/gone",))
        card = replace(load_card("vision/mnist"), files={"big": spec, "gone": gone})
        patience = cache.Policy(read_timeout=0.5)
        with pytest.raises(FetchError, match="404"):
            fetch_files(card, {"a": "big", "b": "gone"}, patience)
    (kept,) = (cache.home() / "partial").glob("*.part")
    assert kept.stat().st_size == 2_000_000
