"""``file:`` addresses and verified copies."""

from __future__ import annotations

import errno
import hashlib
import os
import threading

import pytest

from domainkit import cache
from domainkit.cache.digest import Sums
from domainkit.cache.sources import local_file, open_source
from domainkit.cache.sources.base import Changed, GiveUp, Retry
from domainkit.cache.sources.local_file import FileSource, path_of, place
from domainkit.errors import DigestError, FetchError

DATA = bytes(range(256)) * 40
SHA256 = "sha256:" + hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "odd name #1%20 ü?.bin"
    path.write_bytes(DATA)
    return path


def read(answer):
    with answer:
        return b"".join(answer.chunks)


def test_the_whole_file(file):
    source = FileSource(file.as_uri(), chunk=100)
    answer = source.open()
    with answer:
        chunks = list(answer.chunks)
    assert b"".join(chunks) == DATA and max(map(len, chunks)) == 100
    assert (answer.start, answer.total, answer.ranges, answer.framed) == (0, len(DATA), False, True)
    source.close()


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (5, 700), (100, 100), (9_000, None), (10_240, None), (10_000, 99_999)],
)
def test_parts_of_it(file, start, stop):
    answer = FileSource(file.as_uri(), chunk=64).open(start, stop)
    assert (answer.start, answer.stop) == (start, stop)
    assert read(answer) == DATA[start:stop]


def test_a_version_is_taken_up_as_long_as_it_is_there(file):
    source = FileSource(file.as_uri())
    with source.open() as answer:
        version = answer.validator
    assert read(source.open(7, None, version)) == DATA[7:]
    os.utime(file, ns=(1, 1))
    changed = source.open(7, 9, version)
    assert changed.start == 0 and changed.stop is None and changed.validator != version
    assert read(changed) == DATA


def test_a_file_that_changes_while_it_is_read_is_noticed(file):
    answer = FileSource(file.as_uri(), chunk=100).open()
    next(answer.chunks)
    with file.open("ab") as more:
        more.write(b"x")
    with answer, pytest.raises(Changed, match="changed while it was read"):
        list(answer.chunks)


def test_a_file_that_grows_before_the_first_read_is_noticed(file):
    answer = FileSource(file.as_uri(), chunk=100).open()
    with file.open("ab") as more:
        more.write(b"x")
    with answer, pytest.raises(Changed, match="changed while it was read"):
        list(answer.chunks)


def test_place_notices_a_file_that_grows_before_the_first_read(file, tmp_path, monkeypatch):
    def grow(algorithm):
        with file.open("ab") as more:
            more.write(b"x")
        return Sums(algorithm)

    monkeypatch.setattr(local_file, "Sums", grow)
    with pytest.raises(FetchError, match=r"changed while it was read\. Try again"):
        place(file, tmp_path / "down" / "a.bin")
    assert os.listdir(tmp_path / "down") == []


def test_a_read_that_fails_is_worth_another_try(file, monkeypatch):
    class Stale:
        def fileno(self):
            return real.fileno()

        def seek(self, to):
            pass

        def read(self, count):
            raise OSError(errno.ESTALE, "Stale file handle")

        def close(self):
            real.close()

    real = file.open("rb")
    monkeypatch.setattr(local_file, "_opened", lambda _: Stale())
    answer = FileSource(file.as_uri()).open()
    with answer, pytest.raises(Retry, match=r"cannot be read on \(Stale file handle\)"):
        list(answer.chunks)


@pytest.mark.parametrize("lead", ["file://", "file://localhost", "file:", "FILE://"])
def test_forms_of_the_address(file, lead):
    url = lead + file.as_uri().removeprefix("file://")
    assert path_of(url) == file
    assert read(FileSource(url).open()) == DATA


@pytest.mark.skipif(os.name == "nt", reason="another machine's files are reached there")
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file://server/share/a.zip", "another machine, server"),
        ("file:a.zip", "not the whole path"),
        ("file:///a?b", "Write %3F"),
        ("file:///a#b", "or %23"),
        ("file:///a%00b", "not the whole path"),
    ],
)
def test_addresses_of_no_file_here(url, why):
    with pytest.raises(GiveUp, match=why):
        FileSource(url).open()


def test_windows_paths(monkeypatch):
    """As on Windows, whose own reading of such an address is in the standard library."""
    import ntpath

    nturl2path = pytest.importorskip("nturl2path")
    seen = []

    class WindowsPath(str):
        def is_absolute(self):
            return bool(ntpath.splitdrive(self)[0])

    monkeypatch.setattr(local_file, "url2pathname", nturl2path.url2pathname)
    monkeypatch.setattr(local_file, "Path", WindowsPath)
    monkeypatch.setattr(local_file.os, "name", "nt")
    for url in ("file:///C:/data/a%20b.zip", "file://server/share/a.zip"):
        seen.append(str(path_of(url)))
    assert seen == [r"C:\data\a b.zip", r"\\server\share\a.zip"]


def test_a_folder_and_nothing_at_all(tmp_path):
    with pytest.raises(GiveUp, match="is a folder, expected a file in it"):
        FileSource(tmp_path.as_uri()).open()
    with pytest.raises(GiveUp, match=r"there is no file .*/absent"):
        FileSource((tmp_path / "absent").as_uri()).open()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(GiveUp, match="is no file"):
        FileSource((tmp_path / "pipe").as_uri()).open()


def test_a_file_that_may_not_be_read(file, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refused)
    with pytest.raises(GiveUp, match="may not be read"):
        FileSource(file.as_uri()).open()


def test_fetch_takes_it_as_any_other(file):
    source = open_source(file.as_uri(), cache.Policy())
    assert isinstance(source, FileSource)
    path = cache.fetch(file.as_uri(), digest=SHA256)
    assert path.read_bytes() == DATA and path != file


def test_fetch_tells_what_is_wrong_with_it(file):
    with pytest.raises(DigestError, match=r"expected md5:0{32}, got md5:"):
        cache.fetch(file.as_uri(), digest="md5:" + 32 * "0")
    with pytest.raises(FetchError, match="there is no file"):
        cache.fetch(file.with_name("absent").as_uri())


def test_place(file, tmp_path):
    to = tmp_path / "deep" / "down" / "a.bin"
    assert place(file, to, digest=SHA256, size=len(DATA)) == to
    assert to.read_bytes() == DATA and file.read_bytes() == DATA
    assert os.listdir(to.parent) == ["a.bin"]


@pytest.mark.parametrize(
    ("promise", "told"),
    [
        ({"digest": "md5:" + 32 * "0"}, "expected md5:0{32}, got md5:"),
        ({"size": 3}, "expected 3 bytes, got 10,240"),
    ],
)
def test_place_keeps_nothing_that_is_wrong(file, tmp_path, promise, told):
    to = tmp_path / "down" / "a.bin"
    to.parent.mkdir()
    to.write_bytes(b"as it was")
    with pytest.raises(DigestError, match=told):
        place(file, to, **promise)
    assert to.read_bytes() == b"as it was" and os.listdir(to.parent) == ["a.bin"]


def test_place_overwrites_what_a_killed_one_left(file, tmp_path):
    to = tmp_path / "down" / "a.bin"
    to.parent.mkdir()
    (to.parent / ".a.bin.new").write_bytes(DATA * 2)
    place(file, to)
    assert to.read_bytes() == DATA and os.listdir(to.parent) == ["a.bin"]


def test_place_tells_of_a_full_disk(file, tmp_path, monkeypatch):
    class Full:
        def __init__(self, *_):
            pass

        def update(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(local_file, "Sums", Full)
    with pytest.raises(FetchError, match=r"cannot be written \(.*No space left.*\)\. Make room"):
        place(file, tmp_path / "down" / "a.bin")
    assert os.listdir(tmp_path / "down") == []


def test_place_says_what_is_missing(tmp_path):
    with pytest.raises(FetchError, match="there is no file"):
        place(tmp_path / "absent", tmp_path / "a")
    with pytest.raises(FetchError, match="is a folder"):
        place(tmp_path, tmp_path / "a")


def test_many_place_the_same_at_once(file, tmp_path):
    to = tmp_path / "down" / "a.bin"
    failures = []

    def work():
        try:
            place(file, to, digest=SHA256)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and to.read_bytes() == DATA and os.listdir(to.parent) == ["a.bin"]
