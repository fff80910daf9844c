"""What lies on disk: records, upkeep, full disks and folders nobody may write."""

from __future__ import annotations

import errno
import json
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from support.cached import DATA, NAME, SHA, left_behind

from domainkit import cache
from domainkit.cache import fetch
from domainkit.cache.files import make_folder, read_json, write_json
from domainkit.cache.homes import shared_homes
from domainkit.cards import FileSpec, load_card
from domainkit.errors import DigestError, FetchError
from domainkit.prepared import find_manual, find_prepared


def test_a_full_disk_is_said(server, policy, monkeypatch):
    def full(self, *piece):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("domainkit.cache.partial.Partial.write", full)
    with pytest.raises(FetchError, match=r"disk is full.*Make room.*DOMAINKIT_HOME") as caught:
        fetch(server.url + NAME, digest=SHA, policy=policy)
    assert str(cache.home()) in str(caught.value)
    monkeypatch.undo()


def test_a_folder_that_cannot_be_written_is_said(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "file" / "cache"))
    with pytest.raises(FetchError, match=r"file/cache/locks: cannot be written.*DOMAINKIT_HOME"):
        fetch(server.url + NAME, digest=SHA)
    assert server.requests == []


def test_a_read_only_cache_still_serves(server, monkeypatch):
    path = fetch(server.url + NAME, digest=SHA)

    def refuse(*unused, **more):
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "utime", refuse)
    assert fetch(server.url + NAME, digest=SHA) == path


def test_entries_verify_and_remove(server, folder):
    (folder / "b.bin").write_bytes(b"b")
    first, second = fetch(server.url + NAME, digest=SHA), fetch(server.url + "/b.bin")
    (record,) = (entry.record for entry in cache.entries() if entry.path == first)
    os.utime(record, (1000, 1000))
    found = {entry.path: entry for entry in cache.entries()}
    assert set(found) == {first, second}
    assert (found[first].size, found[first].last_used) == (len(DATA), 1000)
    assert (found[first].urls, found[first].digest) == ((server.url + NAME,), SHA)
    assert (found[second].digest, found[second].trusted_on_first_use) == (None, True)
    fetch(server.url + NAME, digest=SHA)
    assert {e.path: e.last_used for e in cache.entries()}[first] > 1_000_000
    for path in (first, second):
        cache.verify(path)
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(DigestError, match=r"is damaged: expected sha256:\w+, got sha256"):
            cache.verify(path)
    for entry in list(cache.entries()):
        cache.remove(entry)
    assert left_behind() == []
    assert list((cache.home() / "files").iterdir()) == []
    with pytest.raises(FetchError, match="not a file of the cache"):
        cache.verify(first)


def test_a_file_cut_short_on_disk_is_fetched_again(server):
    path = fetch(server.url + NAME, digest=SHA)
    path.write_bytes(DATA[:1000])
    assert fetch(server.url + NAME, digest=SHA).read_bytes() == DATA
    assert server.count(NAME) == 2


def test_the_first_copy_is_held_to(server, folder, policy):
    path = fetch(server.url + NAME)
    path.unlink()
    (folder / NAME.lstrip("/")).write_bytes(DATA[::-1])
    with pytest.raises(DigestError, match="recorded when the file was first fetched"):
        fetch(server.url + NAME, policy=policy)
    (folder / NAME.lstrip("/")).write_bytes(DATA)
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA


def test_a_record_nobody_can_read_counts_for_nothing(server):
    fetch(server.url + NAME, digest=SHA)
    next((cache.home() / "records").iterdir()).write_text("{")
    assert list(cache.entries()) == []
    assert fetch(server.url + NAME, digest=SHA).read_bytes() == DATA
    assert len(list(cache.entries())) == 1


def test_the_layout_is_said_with_the_first_write(server):
    assert not cache.home().exists()
    fetch(server.url + NAME, digest=SHA)
    said = json.loads((cache.home() / "layout.json").read_text())
    assert said["layout"] == 2 and said["written_by"].startswith("domainkit ")


def refused(server, match):
    before = sorted(cache.home().rglob("*"))
    for act in (
        lambda: fetch(server.url + NAME, digest=SHA),
        lambda: list(cache.entries()),
        lambda: find_prepared(load_card("vision/mnist"), "train"),
    ):
        with pytest.raises(FetchError, match=match):
            act()
    assert sorted(cache.home().rglob("*")) == before
    assert server.requests == []


def test_a_newer_layout_is_refused_by_name(server):
    cache.home().mkdir()
    (cache.home() / "layout.json").write_text('{"layout": 3, "written_by": "domainkit 9.1"}')
    refused(server, r"made by domainkit 9\.1 with cache layout 3.*Upgrade domainkit")


@pytest.mark.parametrize("kind", ["md5", "sha256", "sha512", "url"])
def test_the_first_layout_is_refused_by_name(server, kind):
    old = cache.home() / "files" / kind / "ab" / ("ab" * 32)
    old.mkdir(parents=True)
    (old / ".domainkit.json").write_text("{}")
    refused(server, "cache layout 1 of an earlier domainkit")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"layout": "two"}', "\0\0\0\0"])
def test_a_layout_nobody_understands_is_refused(server, text):
    cache.home().mkdir()
    (cache.home() / "layout.json").write_text(text)
    refused(server, r"layout\.json: cannot be understood")


def test_a_shared_cache_of_another_layout_is_refused_by_name(server, tmp_path, monkeypatch):
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "layout.json").write_text('{"layout": 7}')
    monkeypatch.setenv("DOMAINKIT_SHARED", str(tmp_path / "team"))
    with pytest.raises(
        FetchError, match=r"team: was made by another domainkit with cache layout 7"
    ):
        fetch(server.url + NAME, digest=SHA)


def test_a_folder_can_be_made_while_others_tidy_up(tmp_path):
    stop = threading.Event()
    taken = []

    def tidy():
        # with an end: one that never rests may stay ahead of any maker
        while not stop.is_set() and len(taken) < 300:
            for folder in (tmp_path / "a" / "b", tmp_path / "a"):
                with suppress(OSError):
                    folder.rmdir()
                    taken.append(folder)

    thread = threading.Thread(target=tidy)
    thread.start()
    try:
        for _ in range(200):
            make_folder(tmp_path / "a" / "b" / "c")
            assert (tmp_path / "a" / "b" / "c").is_dir()
            (tmp_path / "a" / "b" / "c").rmdir()
    finally:
        stop.set()
        thread.join()
    assert taken


def test_two_writers_of_a_small_file_do_not_meet(tmp_path):
    path = tmp_path / "note.json"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: write_json(path, {"n": [n] * 1000}), range(100)))
    assert len(set(read_json(path)["n"])) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_drive_that_is_not_there_is_no_endless_search(monkeypatch):
    """As on Windows, where ``Z:`` may be missing; and as where the root itself is."""
    asked = []

    def absent(self):
        asked.append(self)
        assert len(asked) < 50, "it searches for ever"
        return False

    def refuse(self, *unused, **more):
        asked.append(self)
        assert len(asked) < 50, "it tries for ever"
        raise FileNotFoundError(errno.ENOENT, "no such drive", str(self))

    monkeypatch.setattr(Path, "is_dir", absent)
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(FileNotFoundError, match="no such drive"):
        make_folder(Path("/a/b"))


@pytest.fixture
def shut(monkeypatch):
    """``shut(folder)``: what lies there may not be looked at, by no user of the system."""
    closed = []
    real = os.stat

    def stat(path, *args, **more):
        if isinstance(path, str | os.PathLike):
            place = Path(os.fspath(path))
            if any(folder in place.parents for folder in closed):
                raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return real(path, *args, **more)

    monkeypatch.setattr(os, "stat", stat)
    return closed.append


def test_a_home_that_may_not_be_entered_is_named(server, shut):
    cache.home().mkdir(parents=True)
    shut(cache.home())
    by_hand = FileSpec("a", manual="Ask for it.")
    for act in (
        lambda: fetch(server.url + NAME, digest=SHA),
        lambda: list(cache.entries()),
        lambda: find_manual("vision/x", by_hand),
        lambda: find_prepared(load_card("vision/mnist"), "train"),
    ):
        with pytest.raises(FetchError, match=r"home: cannot be entered.*DOMAINKIT_HOME"):
            act()
    assert server.requests == []


def test_a_shared_folder_of_manual_files_that_may_not_be_entered(shut, tmp_path, monkeypatch):
    for room in ("manual", "prepared"):
        (tmp_path / "team" / room).mkdir(parents=True)
        shut(tmp_path / "team" / room)
    monkeypatch.setenv("DOMAINKIT_SHARED", str(tmp_path / "team"))
    assert find_manual("vision/x", FileSpec("a", manual="Ask for it.")) is None
    assert find_prepared(load_card("vision/mnist"), "train") is None


def test_a_shared_cache_that_may_not_be_entered_is_passed_over_once(
    server, shut, tmp_path, monkeypatch
):
    team, other = tmp_path / "shut-team", tmp_path / "other-team"
    for folder in (team, other):
        folder.mkdir()
    monkeypatch.setenv("DOMAINKIT_SHARED", f"{team}{os.pathsep}{other}")
    shut(team)
    with pytest.warns(RuntimeWarning, match=r"shut-team: cannot be entered.*DOMAINKIT_SHARED"):
        assert fetch(server.url + NAME, digest=SHA).read_bytes() == DATA
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shared_homes() == [other]


@pytest.mark.parametrize("variable", ["DOMAINKIT_HOME", "DOMAINKIT_SHARED"])
def test_the_folder_of_nobody_is_told(monkeypatch, variable):
    monkeypatch.setenv(variable, "~nobody-of-that-name/cache")
    with pytest.raises(FetchError, match=f"^{variable}=~nobody-of-that-name/cache: there is no"):
        fetch("https://host/a")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc here")
def test_a_place_where_no_folder_can_be_made_is_told(monkeypatch):
    monkeypatch.setenv("DOMAINKIT_HOME", "/proc/nowhere/cache")
    with pytest.raises(FetchError, match="/proc/nowhere/cache"):
        fetch("https://host/a")
