"""``domainkit download NAME --from FOLDER``: files that a person has brought."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.command import invoke, run

from domainkit import cache
from domainkit.cards import FileSpec, load_card
from domainkit.cli.from_folder import Folder, take
from domainkit.dataset import load_dataset
from domainkit.errors import FetchError, ManualError

KEYS = ("train-images", "train-labels", "test-images", "test-labels")


@pytest.fixture
def downloads(small: Any, tmp_path: Path) -> Path:
    """A folder with the set's files as a browser saves them, and the server without them."""
    served = tmp_path / "root" / "example.org" / "small"
    folder = tmp_path / "Downloads"
    shutil.move(str(served), folder)
    return folder


@pytest.fixture
def manual(small: Any, downloads: Path) -> Path:
    """The same set as one whose files may not be fetched."""
    card = load_card("vision/small").source
    text = card.read_text()
    for key in KEYS:
        size = (downloads / f"{key}.gz").stat().st_size
        line = 'manual = "Accept the rules at https://example.org/small and download it."'
        text = text.replace(f'url = "{key}.gz"', f"{line}\nsize = {size}")
    card.write_text(text)
    return downloads


def names_in(folder: Path) -> list[str]:
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


def test_files_that_were_fetched_by_a_browser(small: Any, downloads: Path) -> None:
    before = names_in(downloads)
    result = invoke("download", "vision/small", "--from", downloads)
    assert result.exit_code == 0, result.stderr
    told = result.stdout.splitlines()
    assert [line.split(", from ")[0].partition(":")[0] for line in told[:4]] == [
        f"vision/small, {key}" for key in KEYS
    ]
    assert told[0].endswith(f", from {downloads / 'train-images.gz'}")
    assert told[4].startswith("vision/small, train: 600 rows")
    assert names_in(downloads) == before  # they are only read
    assert small.gets() == [] and len(load_dataset("vision/small", "test")) == 40
    (entry,) = (e for e in cache.entries() if e.path.name == "train-images.gz")
    assert entry.urls == ("https://example.org/small/train-images.gz",)


def test_they_are_found_by_a_later_fetch(small: Any, downloads: Path) -> None:
    assert invoke("download", "vision/small", "--from", downloads, "-q").exit_code == 0
    shutil.rmtree(downloads)
    again = invoke("download", "vision/small", "-q")
    assert again.exit_code == 0 and small.gets() == []
    result = invoke("download", "vision/small", "--from", small.home, "--json")
    assert {item["from"] for item in json.loads(result.stdout)["files"]} == {None}


@pytest.mark.parametrize(
    "name",
    [
        "train-images.gz",
        "train-images (1).gz",
        "Train-Images.GZ",
        "train-images",
        "train-images.idx3.ubyte.gz",
        "deep/er/train-images.gz",
        "what the browser called it.bin",
    ],
)
def test_names_under_which_one_is_found(manual: Path, name: str) -> None:
    to = manual / name
    to.parent.mkdir(parents=True, exist_ok=True)
    os.rename(manual / "train-images.gz", to)
    result = invoke("download", "vision/small", "--from", manual, "--split", "train", "--json")
    assert result.exit_code == 0, result.stderr
    files = {item["file"]: item["from"] for item in json.loads(result.stdout)["files"]}
    assert files == {"train-images": str(to), "train-labels": str(manual / "train-labels.gz")}


def test_manual_files_get_their_place(small: Any, manual: Path) -> None:
    assert invoke("download", "vision/small", "--from", manual).exit_code == 0
    place = small.home / "manual" / "vision" / "small"
    assert names_in(place) == sorted(KEYS)
    assert len(load_dataset("vision/small", "train")) == 600
    # the same files again change nothing: what has no digest would be prepared anew
    before = {file: file.stat().st_mtime_ns for file in place.iterdir()}
    assert invoke("download", "vision/small", "--from", manual).exit_code == 0
    assert {file: file.stat().st_mtime_ns for file in place.iterdir()} == before


def test_a_damaged_one_in_its_place_is_mended(small: Any, manual: Path) -> None:
    assert invoke("download", "vision/small", "--from", manual).exit_code == 0
    place = small.home / "manual" / "vision" / "small" / "train-images"
    good = place.read_bytes()
    place.write_bytes(good[:-1] + b"?")
    assert invoke("download", "vision/small", "--from", manual).exit_code == 0
    assert place.read_bytes() == good


def test_what_is_missing_is_told_and_the_rest_kept(small: Any, manual: Path) -> None:
    digest = hashlib.sha256((manual / "test-images.gz").read_bytes()).hexdigest()
    size = (manual / "test-images.gz").stat().st_size
    (manual / "test-images.gz").unlink()
    done = run("download", "vision/small", "--from", manual, env=small.env)
    assert (done.returncode, done.stdout) == (1, "")
    told = done.stderr
    assert f"vision/small: this file is neither in {manual} nor in the cache:" in told
    assert f"test-images: {size:,} bytes, sha256:{digest}. Accept the rules at https:" in told
    assert "Found and kept: train-images, train-labels, test-labels." in told
    assert names_in(small.home / "manual") == [
        f"vision/small/{key}" for key in sorted(KEYS) if key != "test-images"
    ]
    # what is here already does for its split
    again = run("download", "vision/small", "--split", "train", env=small.env)
    assert again.returncode == 0, again.stderr


def test_a_wrong_one_is_told_and_not_kept(small: Any, manual: Path) -> None:
    file = manual / "train-images.gz"
    good = file.read_bytes()
    file.write_bytes(good[:-1] + b"?")
    result = invoke("download", "vision/small", "--from", manual)
    assert result.exit_code == 1
    assert f"{file}: expected sha256:" in result.stderr and ", got sha256:" in result.stderr
    file.write_bytes(good[:-1])
    result = invoke("download", "vision/small", "--from", manual)
    assert f"{file}: expected {len(good):,} bytes, got {len(good) - 1:,}" in result.stderr
    assert "vision/small/train-images" not in names_in(small.home / "manual")
    assert not [name for name in names_in(small.home) if name.endswith((".new", ".part"))]


def test_a_wrong_one_of_the_web(small: Any, downloads: Path) -> None:
    file = downloads / "train-images.gz"
    file.write_bytes(b"<!doctype html> please log in")
    result = invoke("download", "vision/small", "--from", downloads)
    assert result.exit_code == 1
    assert f"{file}: expected sha256:" in result.stderr
    assert "Without --from it is fetched from https://example.org/small/train-im" in result.stderr
    assert small.gets() == []
    assert not list(small.home.rglob("*.part"))


def test_a_page_saved_for_a_file_without_a_digest(small: Any, downloads: Path) -> None:
    file = downloads / "train-labels.gz"
    file.write_bytes(b"\n<!DOCTYPE html><html>please log in</html>")
    result = invoke("download", "vision/small", "--from", downloads)
    assert result.exit_code == 1
    assert f"{file}: is a web page (login, licence or quota?)" in result.stderr


def test_the_right_one_among_wrong_ones(small: Any, manual: Path) -> None:
    (manual / "old").mkdir()
    os.rename(manual / "train-images.gz", manual / "old" / "train-images (2).gz")
    (manual / "train-images.gz").write_bytes(b"an older version")
    (manual / "train-images.gz.part").write_bytes(b"not finished")
    result = invoke("download", "vision/small", "--from", manual)
    assert result.exit_code == 0, result.stderr
    assert f"from {manual / 'old' / 'train-images (2).gz'}" in result.stdout


def test_nothing_tells_which_of_two_is_right(fresh_home: Path, tmp_path: Path) -> None:
    for name in ("a.bin", "b/a.bin"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(name.encode())
    spec = FileSpec("a", manual="Ask for it.")
    with pytest.raises(ManualError, match=r"a\. Ask for it\.\n    there are several, and nothing"):
        take("vision/x", [spec], Folder(tmp_path / "in"))


def of_the_web(**facts: Any) -> FileSpec:
    return FileSpec("train", urls=("https://example.org/set/v2/images.tar.gz",), **facts)


@pytest.mark.parametrize("name", ["train", "train.csv", "Train (1).tar.gz", "images.zip", "images"])
def test_a_key_alone_tells_too_little_of_a_file_of_the_web(
    fresh_home: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "in" / name
    file.parent.mkdir()
    file.write_bytes(b"something else")
    with pytest.raises(ManualError) as caught:
        take("vision/x", [of_the_web()], Folder(file.parent))
    assert ("nothing tells that it is the right one" in str(caught.value)) == (
        name.lower().startswith("train")
    )
    assert list(cache.entries()) == []


def test_what_tells_more_than_a_key(fresh_home: Path, tmp_path: Path) -> None:
    key, manual = tmp_path / "in" / "train.bin", FileSpec("train", manual="Ask for it.")
    key.parent.mkdir()
    key.write_bytes(b"the right one")
    digest = "sha256:" + hashlib.sha256(b"the right one").hexdigest()
    for spec, given in (
        (manual, key.parent),
        (of_the_web(size=13), key.parent),
        (of_the_web(digest=digest), key.parent),
        (of_the_web(), key),
    ):
        shutil.rmtree(cache.home(), ignore_errors=True)
        (taken,) = take("vision/x", [spec], Folder(given))
        assert taken.source == key
    for name in ("images.tar.gz", "Images (2).tar.gz"):
        shutil.rmtree(cache.home())
        os.rename(key, key := key.with_name(name))
        (taken,) = take("vision/x", [of_the_web()], Folder(key.parent))
        assert taken.source == key


def test_a_page_with_a_comment_in_front(small: Any, downloads: Path) -> None:
    file = downloads / "train-labels.gz"
    file.write_bytes(b"<!-- saved from url=(0022)https://example.org/ -->\n<html>log in</html>")
    result = invoke("download", "vision/small", "--from", downloads)
    assert f"{file}: is a web page (login, licence or quota?)" in result.stderr


def test_one_file_instead_of_a_folder(small: Any, manual: Path) -> None:
    os.rename(manual / "test-images.gz", manual / "x")
    result = invoke("download", "vision/small", "--from", manual / "x", "--split", "test")
    assert result.exit_code == 1 and "Found and kept: test-images." in result.stderr
    result = invoke(
        "download", "vision/small", "--from", manual / "test-labels.gz", "--split", "test"
    )
    assert result.exit_code == 0, result.stderr
    assert "vision/small, test-images: " in result.stdout and ", was here" in result.stdout


def test_hidden_folders_and_deep_ones_are_left_alone(tmp_path: Path) -> None:
    deepest = "1/2/3/4/5/6/7/8/a.bin"
    for name in (".git/a.bin", "b/.a.bin", "b/a.crdownload", "9/a.bin", deepest, f"0/{deepest}"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert names_in_order(Folder(tmp_path)) == ["9/a.bin", deepest]


def names_in_order(folder: Folder) -> list[str]:
    return [str(file.relative_to(folder.path)) for file in folder.files]


def test_a_folder_that_is_not_there(small: Any, tmp_path: Path) -> None:
    result = invoke("download", "vision/small", "--from", tmp_path / "absent")
    assert result.exit_code == 2 and "there is no such folder or file" in result.stderr
    result = invoke("download", "vision/small", "--from", "")  # an unset variable of a script
    assert result.exit_code == 2 and "expected a folder or a file, got nothing" in result.stderr
    assert small.gets() == []


def test_a_set_of_which_one_file_alone_is_brought_by_hand(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the error without it says, done to the letter."""
    card = load_card("vision/small").source
    hand = 'manual = "Accept the rules at https://example.org/small."'
    card.write_text(card.read_text().replace('url = "train-labels.gz"', hand))
    folder = tmp_path / "Downloads"
    folder.mkdir()
    served = tmp_path / "root" / "example.org" / "small"
    shutil.move(served / "train-labels.gz", folder)
    asked = ("download", "vision/small", "--split", "train")
    failed = invoke(*asked)
    assert failed.exit_code == 1
    assert "`domainkit download vision/small --from FOLDER`, where FOLDER holds" in failed.stderr
    monkeypatch.setenv("DOMAINKIT_OFFLINE", "1")
    (small.home / "files").exists() and shutil.rmtree(small.home / "files")
    assert invoke(*asked, "--from", folder).exit_code == 1
    monkeypatch.delenv("DOMAINKIT_OFFLINE")
    done = invoke(*asked, "--from", folder)
    assert done.exit_code == 0, done.stderr
    assert "vision/small, train: 600 rows" in done.stdout


def test_a_folder_with_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domainkit.cli.from_folder._MOST", 3)
    for index in range(4):
        (tmp_path / str(index)).touch()
    with pytest.raises(FetchError, match="more than 3 files"):
        _ = Folder(tmp_path).files


def test_weights(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from domainkit.model_cards import ModelCard, load_model_card

    data = b"weights" * 1000
    name = "resnet50-11ad3fa6.pth"
    spec = load_model_card("vision/resnet50").weights_spec("default")
    assert spec.file.urls[0].endswith(name)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    file = FileSpec(spec.file.key, spec.file.urls, digest=digest, size=len(data))
    changed = type(spec)(**{**vars(spec), "file": file})
    monkeypatch.setattr(ModelCard, "weights_spec", lambda *_: changed)
    (tmp_path / name).write_bytes(data)
    result = invoke("download", "vision/resnet50", "--from", tmp_path, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["files"][0]["from"] == str(tmp_path / name)
    assert Path(told["done"][0]["file"]).read_bytes() == data


def test_several_names_and_one_that_lacks_a_file(small: Any, manual: Path) -> None:
    (manual / "test-images.gz").unlink()
    result = invoke("download", "vision/small", "vision/fashion-mnist-mini", "--from", manual)
    assert result.exit_code == 1
    assert "vision/fashion-mnist-mini, train: " in result.stdout
    assert "1 of 2 failed" in result.stderr


def test_the_error_without_it_says_how(small: Any, manual: Path) -> None:
    result = invoke("download", "vision/small", "--split", "test")
    assert result.exit_code == 1
    assert "`domainkit download vision/small --from FOLDER`" in result.stderr
