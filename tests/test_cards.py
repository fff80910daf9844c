"""Cards: every shipped one is whole; a malformed one is refused by file and field."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.own_card import Plain, write_card

import domainkit as dk
from domainkit import cards
from domainkit.cards import Card, list_datasets, load_card, parse_card
from domainkit.errors import CardError, NotFoundError
from domainkit.features import feature_from_spec
from domainkit.prepare import find_reader

SHIPPED = list_datasets()
EMBEDDED = ["audio/voice-prompts", "text/sentiment-sentences", "vision/fashion-mnist-mini"]
PUBLISHED = [
    *("audio/ljspeech", "audio/speech-commands", "audio/yesno", "text/ag-news", "text/imdb"),
    *("vision/cifar10", "vision/cifar100", "vision/fashion-mnist", "vision/imagenette"),
    "vision/mnist",
]


def test_the_promised_datasets_are_there():
    assert set(SHIPPED) >= {*EMBEDDED, *PUBLISHED}
    assert sorted(SHIPPED) == SHIPPED == dk.list_datasets()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_card_is_whole(name):
    card = load_card(name)
    assert card.name == name
    assert card.domain == name.split("/")[0]
    for field in ("task", "summary", "license", "citation"):
        text = getattr(card, field)
        assert text == text.strip() != "", field
    assert urlsplit(card.homepage).scheme in ("http", "https")
    assert card.summary.endswith((".", "?", "!"))
    assert re.fullmatch(r"(audio|text|vision)/[a-z0-9]+(-[a-z0-9]+)*", name)

    for file in card.files.values():
        assert file.digest is not None, f"{file.key} has no digest"
        assert file.size is None or file.size > 0
        assert all(urlsplit(url).scheme in ("http", "https") for url in file.urls)
        assert all(urlsplit(url).netloc for url in file.urls)
    used = {key for split in card.splits.values() for key in split.files.values()}
    assert used == set(card.files), "a file that no split reads"

    features = {n: feature_from_spec(spec, n) for n, spec in card.features.items()}
    for feature in features.values():
        names = getattr(feature, "names", ())
        assert len(set(names)) == len(names)
        assert all(n == n.strip() != "" for n in names)
    for split in card.splits.values():
        assert split.rows is None or split.rows > 0
        assert callable(find_reader(card, split))


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_files_are_the_promised_ones(name):
    card = load_card(name)
    folder = card.source.with_suffix("")
    for file in card.files.values():
        assert file.path.parent == folder
        data = file.path.read_bytes()
        assert len(data) == file.size
        algorithm, _, digest = file.digest.partition(":")
        assert hashlib.new(algorithm, data).hexdigest() == digest
    beside = {path.name for path in folder.iterdir()}
    assert beside - {file.path.name for file in card.files.values()} == {"LICENSE"}
    assert all(split.rows for split in card.splits.values())


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_datasets_open(name):
    for split in load_card(name).splits.values():
        ds = dk.load_dataset(name, split.name)
        assert len(ds) == split.rows
        first, last = ds[0], ds[-1]
        assert list(first) == list(last) == list(ds.features)


def test_a_card_cannot_be_changed():
    card = load_card("vision/fashion-mnist-mini")
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.name = "x"
    assert hash(card.split("train").name)


def test_split_by_name():
    card = load_card("vision/fashion-mnist-mini")
    assert card.split("test").rows == 1000
    with pytest.raises(NotFoundError, match=r"has no split 'tets'. Did you mean 'test'\?.*train"):
        card.split("tets")


# -- finding -----------------------------------------------------------------------------------


def test_listing_reads_file_names_only(tmp_path, monkeypatch):
    (tmp_path / "vision").mkdir()
    (tmp_path / "vision" / "broken.toml").write_text("this is no TOML")
    (tmp_path / "vision" / "notes.txt").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.toml").write_text("")
    (tmp_path / "text").write_text("a file where a folder could be")
    monkeypatch.setenv("DOMAINKIT_CARDS", str(tmp_path))
    assert set(list_datasets()) - set(SHIPPED) == {"vision/broken"}
    with pytest.raises(CardError, match=r"broken\.toml is not valid TOML: .*line 1"):
        load_card("vision/broken")
    monkeypatch.delenv("DOMAINKIT_CARDS")
    assert list_datasets() == SHIPPED


@pytest.mark.parametrize("domain", ["audio", "text", "vision"])
def test_listing_one_domain(domain):
    assert list_datasets(domain) == [n for n in SHIPPED if n.startswith(domain + "/")] != []


@pytest.mark.parametrize(
    ("domain", "answer"), [("visoin", "'vision'"), ("", "audio, text, vision")]
)
def test_listing_an_unknown_domain(domain, answer):
    with pytest.raises(NotFoundError, match=f"no domain {domain!r}.*{answer}"):
        list_datasets(domain)


def test_private_folders_come_first_and_in_order(tmp_path, monkeypatch):
    for folder, summary in (("a", "first"), ("b", "second")):
        write_card(tmp_path / folder, {"summary": summary})
    shipped = (cards.data_folder("datasets") / "vision/mnist.toml").read_text(encoding="utf-8")
    mine = re.sub(r'(?m)^summary = ".*"$', 'summary = "mine"', shipped)
    (tmp_path / "b" / "vision" / "mnist.toml").write_text(mine, encoding="utf-8")
    parts = ["", tmp_path / "gone", tmp_path / "a", tmp_path / "b"]
    monkeypatch.setenv("DOMAINKIT_CARDS", os.pathsep.join(map(str, parts)))
    assert load_card("vision/own").summary == "first"
    assert load_card("vision/mnist").summary == "mine"
    assert list_datasets() == sorted({*SHIPPED, "vision/own"})
    monkeypatch.setenv("DOMAINKIT_CARDS", str(tmp_path / "b"))
    assert load_card("vision/own").summary == "second"


def test_a_private_folder_below_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_card(tmp_path / "cards")
    monkeypatch.setenv("DOMAINKIT_CARDS", "~/cards")
    assert load_card("vision/own").source == tmp_path / "cards/vision/own.toml"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("vision/fashion-mnits", "Did you mean 'vision/fashion-mnist'"),
        ("yesno", "Did you mean 'audio/yesno'"),
        ("CIFAR10", "Did you mean 'vision/cifar10'"),
        ("ljspeech", "Did you mean 'audio/ljspeech'"),
        ("/", "domainkit list"),
        ("vision/../vision/mnist", "There is no dataset"),
        ("vision/mnist.toml", "Did you mean 'vision/mnist'"),
    ],
)
def test_unknown_names_offer_the_nearest(name, answer):
    with pytest.raises(NotFoundError, match=re.escape(answer)):
        load_card(name)


# -- parsing -----------------------------------------------------------------------------------


def parse(tmp_path: Path, changes: dict) -> Card:
    return parse_card(write_card(tmp_path, changes))


def test_a_good_card_says_what_it_says(tmp_path):
    card = parse(
        tmp_path,
        {
            "base": "https://example.org/data/",
            "files.one": {"url": "one.zip", "md5": "A" * 32, "sha256": "b" * 64, "size": 3},
            "files.two": {"urls": ["http://a/two", "sub/two"], "crc32": "01234567"},
            "files.three": {"manual": "Ask them."},
            "splits.test": {
                "reader": "idx",
                "files": {"images": "one", "labels": "two"},
                "columns": ["a", "b"],
                "header": True,
                "scale": 0.5,
            },
        },
    )
    assert card.source == tmp_path / "vision/own.toml"
    assert card.files["one"].urls == ("https://example.org/data/one.zip",)
    assert card.files["one"].digest == "sha256:" + "b" * 64  # the best of those given
    assert card.files["two"].urls == ("http://a/two", "https://example.org/data/sub/two")
    assert card.files["two"].digest == "crc32:01234567"
    assert card.files["two"].size is None
    assert card.files["three"].manual == "Ask them."
    assert card.files["rows"].path == tmp_path / "vision/own/rows.txt"
    assert list(card.features) == ["word", "number"]
    assert card.split("test").args == {"columns": ["a", "b"], "header": True, "scale": 0.5}
    assert card.split("test").files == {"images": "one", "labels": "two"}
    assert card.split("test").rows is None


SHA = "0" * 64
MALFORMED = [
    *(({key: None}, f"{key} is missing: add it (a string)") for key in (
        "name", "task", "summary", "homepage", "license", "citation",
    )),
    *(({key: None}, f"{key} is missing: add it (a table)") for key in (
        "files", "features", "splits",
    )),
    ({"name": "vision/other"}, "name is 'vision/other', its place says 'vision/own'"),
    ({"name": 3}, "name must be a string, got number 3"),
    ({"summary": ["a"]}, "summary must be a string, got list ['a']"),
    ({"licence": "MIT"}, "unknown field 'licence'. Did you mean 'license'"),
    ({"base": 3}, "base must be a string"),
    ({"files": "x"}, "files must be a table"),
    ({"features": []}, "features must be a table"),
    ({"features": {}}, "[features] is empty"),
    ({"features.word": "Text"}, "features.word: type is None"),
    ({"features.word": {}}, "features.word: type is None"),
    ({"features.word": {"type": "Txt"}}, "features.word: type is 'Txt', expected one of Audio"),
    ({"features.word": {"type": 3}}, "features.word: type is 3"),
    ({"splits": {}}, "[splits] is empty"),
    ({"splits.train": 3}, "splits.train must be a table"),
    ({"splits.train.reader": None}, "splits.train.reader is missing"),
    ({"splits.train.reader": 1}, "splits.train.reader must be a string"),
    ({"splits.train.files": None}, "splits.train.files is missing"),
    ({"splits.train.files": "rows"}, "splits.train.files must be a table"),
    ({"splits.train.files.lines": "row"}, "splits.train.files.lines names 'row'"),
    ({"splits.train.files.lines": ["rows"]}, "splits.train.files.lines names ['rows']"),
    ({"splits.train.files.lines": 1}, "splits.train.files.lines names 1"),
    ({"splits.train.rows": "3"}, "splits.train.rows must be a number, got string '3'"),
    ({"splits.train.rows": True}, "splits.train.rows must be a number"),
    ({"splits.train.rows": -1}, "splits.train.rows must not be negative, got -1"),
    ({"splits.train.since": Plain("2020-01-01")}, "splits.train.since must be"),
    ({"splits.train.nested": {"a": 1}}, "splits.train.nested must be"),
    ({"splits.train.nested": [[1]]}, "splits.train.nested must be"),
    ({"files.rows": "rows.txt"}, "files.rows must be a table"),
    ({"files.rows": {}}, "files.rows needs exactly one of url, urls, path and manual"),
    ({"files.rows.url": "https://a/b"}, "files.rows needs exactly one of"),
    ({"files.rows.manual": "ask"}, "files.rows needs exactly one of"),
    ({"files.rows": {"urls": []}}, "files.rows needs exactly one of"),
    ({"files.rows": {"urls": "https://a/b"}}, "files.rows.urls must be a list of strings"),
    ({"files.rows": {"url": 3}}, "files.rows.urls must be a list of strings, got [3]"),
    ({"files.rows": {"manual": 3}}, "files.rows.manual must be a string"),
    ({"files.rows.path": 3}, "files.rows.path must be a string"),
    ({"files.rows.sha": SHA}, "files.rows has an unknown field 'sha'"),
    ({"files.rows.sha256": "0" * 63}, "files.rows.sha256 must be 64 hex digits"),
    ({"files.rows.sha256": "g" * 64}, "files.rows.sha256 must be 64 hex digits"),
    ({"files.rows.sha256": f"sha256:{SHA}"}, "files.rows.sha256 must be 64 hex digits"),
    ({"files.rows.md5": SHA}, "files.rows.md5 must be 32 hex digits"),
    ({"files.rows.sha256": 0}, "files.rows.sha256 must be a string"),
    ({"files.rows.size": "12"}, "files.rows.size must be a number"),
    ({"files.rows.size": 1.5}, "files.rows.size must be a number"),
    ({"files.rows.size": False}, "files.rows.size must be a number"),
    ({"files.rows.size": -5}, "files.rows.size must not be negative"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), MALFORMED, ids=lambda x: str(x)[:60])
def test_a_malformed_card_is_refused_by_file_and_field(tmp_path, changes, message):
    with pytest.raises(CardError) as caught:
        parse(tmp_path, changes)
    assert str(caught.value).startswith(f"{tmp_path / 'vision' / 'own.toml'}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = \n", "is not valid TOML: "),
        (b"\xff\xfe", "is not valid TOML: "),
        (b"", "name is missing"),
        (None, "cannot be read: "),
    ],
)
def test_a_file_that_is_no_card(tmp_path, content, message):
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CardError, match=re.escape(str(path)) + ".*" + message):
        parse_card(path)


def test_written_cards_in_this_test_are_toml(tmp_path):
    path = write_card(tmp_path, {"splits.train.since": Plain("2020-01-01")})
    assert tomllib.loads(path.read_text(encoding="utf-8"))["splits"]["train"]["rows"] == 3
