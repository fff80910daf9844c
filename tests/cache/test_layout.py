"""What lies on disk: records, upkeep, full disks and folders nobody may write."""

from __future__ import annotations

import errno
import os

import pytest
from support.cached import DATA, NAME, SHA, left_behind

from domainkit import cache
from domainkit.cache import fetch
from domainkit.errors import DigestError, FetchError


def test_a_full_disk_is_said(server, policy, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("domainkit.cache.partial.Partial.append", full)
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
    os.utime(first.parent / ".domainkit.json", (1000, 1000))
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
    path = fetch(server.url + NAME, digest=SHA)
    (path.parent / ".domainkit.json").write_text("{")
    assert list(cache.entries()) == []
    assert fetch(server.url + NAME, digest=SHA).read_bytes() == DATA
    assert len(list(cache.entries())) == 1
