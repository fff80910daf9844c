"""Records and the bytes they point to: one copy of a content, whole at any moment of a kill."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter

import pytest
from support import faults
from support.cache_folder import look
from support.cached import DATA, NAME, SHA, left_behind

from domainkit import cache
from domainkit.cache import fetch, records
from domainkit.cache.digest import Digest
from domainkit.cache.layout import slot_for
from domainkit.cache.records import read_record, read_records, safe_name
from domainkit.errors import DigestError, FetchError, OfflineError

MD5 = "md5:" + hashlib.md5(DATA).hexdigest()
SHA512 = "sha512:" + hashlib.sha512(DATA).hexdigest()


class Killed(BaseException):
    """What ends a process here, at a chosen step."""


def die_at(monkeypatch, step):
    """The process ends right before the rename numbered ``step`` of ``publish``."""
    real, count = os.replace, 0

    def replace(source, target):
        nonlocal count
        if "/partial/" not in str(target) and not str(target).endswith("layout.json"):
            count += 1
            if count == step:
                raise Killed
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)


@pytest.mark.parametrize("digest", [SHA, MD5, None])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_killed_while_it_is_published_nothing_is_asked_for_twice(server, monkeypatch, digest, step):
    with monkeypatch.context() as patch:
        die_at(patch, step)
        with pytest.raises(Killed):
            fetch(server.url + NAME, digest=digest)
    path = fetch(server.url + NAME, digest=digest)
    assert path.read_bytes() == DATA
    assert server.sent[NAME] == len(DATA)
    assert look(cache.home()).records.keys() == {
        read_record(cache.home(), e.key).key for e in cache.entries()
    }
    assert len(left_behind()) == 2


def test_what_a_kill_left_is_whole_in_a_cache_nobody_may_write(server, monkeypatch):
    with monkeypatch.context() as patch:
        die_at(patch, 3)
        with pytest.raises(Killed):
            fetch(server.url + NAME, digest=SHA)

    def refuse(*unused, **more):
        raise PermissionError("read-only")

    for name in ("replace", "utime"):
        monkeypatch.setattr(os, name, refuse)
    assert fetch(server.url + NAME, digest=SHA).read_bytes() == DATA
    assert server.count(NAME) == 1
    assert len(list(cache.entries())) == 1


def test_one_copy_whatever_it_was_asked_by(server, folder):
    (folder / "b.bin").write_bytes(DATA)
    paths = {
        fetch(server.url + "/b.bin", digest=MD5),
        fetch(server.url + NAME, digest=SHA),
        fetch(server.url + NAME),
        fetch(server.url + NAME, digest=SHA512),
    }
    assert len(paths) == 1
    assert len(list(cache.entries())) == 4
    assert len(look(cache.home()).files) == 1
    assert server.count(NAME) == 0  # a sha256 names it, then the address does


def test_removing_one_of_several_leaves_the_bytes_to_the_others(server):
    path = fetch(server.url + NAME, digest=SHA)
    fetch(server.url + NAME, digest=MD5)
    fetch(server.url + NAME)
    first, second, third = cache.entries()
    assert cache.remove(first) is False and path.read_bytes() == DATA
    assert cache.remove(second) is False and path.read_bytes() == DATA
    assert cache.remove(third) is True and not path.exists()
    assert left_behind() == []


def test_bytes_under_another_key_are_reused_only_where_they_are_the_same(server, folder, policy):
    (folder / "same-size.bin").write_bytes(DATA[::-1])
    (folder / "again.bin").write_bytes(DATA)
    fetch(server.url + "/same-size.bin")
    assert fetch(server.url + NAME, digest=MD5, size=len(DATA)).read_bytes() == DATA
    assert server.count(NAME) == 1
    assert fetch(server.url + "/again.bin", digest=SHA512, size=len(DATA)).read_bytes() == DATA
    assert server.count("/again.bin") == 0
    with pytest.raises(DigestError):
        wrong = "md5:" + "0" * 32
        fetch(server.url + NAME, digest=wrong, size=len(DATA), policy=policy)
    # neither address nor content is known: only the server can tell
    assert fetch(server.url + "/again.bin?v=2").read_bytes() == DATA
    assert server.count("/again.bin") == 1


def test_damaged_bytes_are_not_reused_by_their_md5(server):
    path = fetch(server.url + NAME, digest=SHA)
    path.write_bytes(DATA[:-1] + b"x")
    assert fetch(server.url + NAME, digest=MD5, size=len(DATA)).read_bytes() == DATA
    assert path.read_bytes() == DATA  # and the fresh copy has mended the damaged one
    assert server.count(NAME) == 2


def test_reuse_needs_no_network(server, monkeypatch):
    path = fetch(server.url + NAME, digest=SHA)
    monkeypatch.setenv("DOMAINKIT_OFFLINE", "1")
    assert fetch(server.url + NAME, digest=MD5) == path
    with pytest.raises(OfflineError):
        fetch(server.url + "/b.bin", digest="md5:" + "0" * 32)


def test_what_was_first_fetched_holds_for_reuse_too(server, folder, policy):
    """A file without a digest is not replaced by what another card got from there later."""
    fetch(server.url + NAME).unlink()
    (folder / NAME.lstrip("/")).write_bytes(DATA[::-1])
    newer = "sha256:" + hashlib.sha256(DATA[::-1]).hexdigest()
    fetch(server.url + NAME, digest=newer)
    with pytest.raises(DigestError, match="recorded when the file was first fetched"):
        fetch(server.url + NAME, policy=policy)


def test_the_second_name_of_a_content_is_the_first_one(server):
    path = fetch(server.url + NAME, digest=SHA, name="first.bin")
    assert fetch(server.url + NAME, digest=MD5, name="second.bin") == path


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../../../outside"},
        {"name": "/etc/passwd"},
        {"sha256": "../" * 21 + "x"},
        {"sha256": None},
        {"size": "many"},
        {"urls": None},
    ],
)
def test_a_record_cannot_lead_out_of_the_cache(server, change, tmp_path):
    fetch(server.url + NAME, digest=SHA)
    (entry,) = cache.entries()
    facts = json.loads(entry.record.read_text())
    entry.record.write_text(json.dumps({**facts, **change}))
    (tmp_path / "outside").write_bytes(DATA)
    assert list(read_records(cache.home())) == []
    assert fetch(server.url + NAME, digest=SHA).is_relative_to(cache.home() / "files")


def test_a_shared_cache_is_looked_into_first_and_never_written(server, tmp_path, monkeypatch):
    path = fetch(server.url + NAME, digest=SHA)
    fetch(server.url + "/host/set/data.bin?plain")
    shared = cache.home()
    before = {p: p.stat().st_mtime_ns for p in shared.rglob("*")}
    monkeypatch.setenv("DOMAINKIT_SHARED", f"{tmp_path / 'nothing'}{os.pathsep}{shared}")
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "mine"))
    server.requests.clear()
    assert fetch(server.url + NAME, digest=SHA) == path
    assert fetch(server.url + "/host/set/data.bin?plain") == path
    assert fetch(server.url + NAME, digest=MD5) == path  # by another key of the same address
    assert server.requests == []
    assert {p: p.stat().st_mtime_ns for p in shared.rglob("*")} == before
    assert list(cache.entries()) == []
    with pytest.raises(FetchError, match="shared caches are only read"):
        cache.remove(next(read_records(shared)))


def test_a_shared_copy_is_held_to_what_was_first_fetched_here(
    server, folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "team"))
    fetch(server.url + NAME)
    (folder / NAME.lstrip("/")).write_bytes(DATA[::-1])
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "mine"))
    fetch(server.url + NAME).unlink()
    monkeypatch.setenv("DOMAINKIT_SHARED", str(tmp_path / "team"))
    assert slot_for([server.url + NAME], None, None).find() is None
    assert fetch(server.url + NAME).read_bytes() == DATA[::-1]


def test_a_mirror_in_front_is_held_to_what_the_address_gave_first(server, folder):
    """The key of a file without a digest is made of its first address alone."""
    known, mirror = server.url + NAME, server.url + "/mirror.bin"
    fetch(known).unlink()
    slot = slot_for([mirror, known], None, None)
    assert slot.remembered() is None
    assert str(slot.remembered(urls=[mirror, known])) == SHA
    assert str(slot.remembered(len(DATA), [mirror, known])) == SHA
    assert slot.remembered(1, [mirror, known]) is None
    assert slot.remembered(urls=[mirror]) is None


def test_a_file_with_a_digest_holds_no_other_to_its_bytes(server):
    fetch(server.url + NAME, digest=SHA)
    urls = [server.url + "/mirror.bin", server.url + NAME]
    assert slot_for(urls, None, None).remembered(urls=urls) is None


def test_the_first_copy_of_the_earliest_address_holds(server, folder):
    for name in ("a", "b"):
        (folder / name).write_bytes(name.encode())
    a, b, new = (f"{server.url}/{name}" for name in ("a", "b", "new"))
    fetch(b)
    fetch(a)
    for urls, first in (([new, a, b], b"a"), ([new, b, a], b"b")):
        expected = "sha256:" + hashlib.sha256(first).hexdigest()
        assert str(slot_for(urls, None, None).remembered(urls=urls)) == expected


def test_what_one_address_gave_is_not_taken_for_what_another_gives(server, folder, policy):
    (folder / "y.bin").write_bytes(DATA)
    x, y = server.url + NAME, server.url + "/y.bin"
    fetch([x, y], policy=policy)
    assert server.count("/y.bin") == 0
    assert slot_for([y], None, None).reuse([y], None) is None
    assert fetch([y], policy=policy).read_bytes() == DATA
    assert server.count("/y.bin") == 1


def test_notes_of_a_fetch_under_way_are_not_tidied_up(server, monkeypatch):
    with monkeypatch.context() as patch:
        die_at(patch, 3)
        with pytest.raises(Killed):
            fetch(server.url + NAME, digest=SHA)
    slot = slot_for([server.url + NAME], Digest.parse(SHA), None)
    pending = slot.record.with_suffix(".pending")
    record = pending.read_bytes()
    notes = [slot.partial.with_suffix(end) for end in (".map", ".json")]
    for note in notes:
        note.write_bytes(b"mine")
    with cache.lock(slot.key):
        assert slot.find().whole
    assert [note.read_bytes() for note in notes] == [b"mine", b"mine"]
    slot.record.unlink()
    pending.write_bytes(record)
    assert slot.find().whole
    assert not any(note.exists() for note in notes)


@pytest.mark.parametrize(
    "query", ["key={}", "token={}", "access_token={}", "id=1&sig={}", "signature={}"]
)
def test_addresses_that_differ_in_a_key_alone_are_two_files(server, policy, query):
    """What looks like a secret may name the file; it is not shown, and told apart all the same."""
    one, two = (f"{server.url}/get?{query.format(letter * 20)}" for letter in "ab")
    server.faults["/get"] = [faults.reply(b"one"), faults.reply(b"two")]
    assert fetch(one, policy=policy).read_bytes() == b"one"
    assert fetch(two, policy=policy).read_bytes() == b"two"
    assert (fetch(one).read_bytes(), fetch(two).read_bytes()) == (b"one", b"two")
    written = "".join(path.read_text() for path in (cache.home() / "records").iterdir())
    assert "a" * 20 not in written and "b" * 20 not in written


@pytest.mark.parametrize(
    ("first", "again", "other"),
    [
        (
            "X-Amz-Date=1&X-Amz-Signature=2&part=1",
            "X-Amz-Date=3&part=1&X-Amz-Signature=4",
            "X-Amz-Date=1&X-Amz-Signature=2&part=2",
        ),
        ("X-Goog-Date=1&X-Goog-Signature=2", "X-Goog-Date=3&X-Goog-Signature=4", "part=2"),
        ("AWSAccessKeyId=1&Expires=2&Signature=3", "AWSAccessKeyId=4&Expires=5&Signature=6", "a=1"),
        ("sv=2022&se=1&sp=r&sig=2&x=1", "sv=2022&se=3&sp=r&sig=4&x=1", "sv=2022&se=1&sig=2&x=2"),
    ],
)
def test_one_file_signed_at_two_times_is_one(server, policy, first, again, other):
    server.faults["/get"] = [faults.reply(b"one"), faults.reply(b"other")]
    assert fetch(f"{server.url}/get?{first}", policy=policy).read_bytes() == b"one"
    assert fetch(f"{server.url}/get?{again}", policy=policy).read_bytes() == b"one"
    assert server.count("/get") == 1
    assert fetch(f"{server.url}/get?{other}", policy=policy).read_bytes() == b"other"


def test_a_process_reads_each_record_once(server, policy, monkeypatch):
    read, parse = Counter(), records._parse

    def counted(path):
        read[path.name] += 1
        return parse(path)

    monkeypatch.setattr(records, "_parse", counted)
    for number in range(40):
        server.faults["/get"] = [faults.reply(b"%d" % number)]
        fetch(f"{server.url}/get?number={number}", policy=policy)
    assert len(read) >= 40
    assert max(read.values()) <= 6  # whatever the number of others


def test_a_record_that_another_process_replaced_is_seen(server, folder, policy):
    fetch(server.url + NAME, policy=policy)
    base = cache.home()
    assert [e.urls for e in read_records(base, lambda facts: True)] == [(server.url + NAME,)]
    (record,) = (base / "records").glob("*.json")
    value = json.loads(record.read_text())
    new = record.with_name(".new")
    new.write_text(json.dumps({**value, "urls": ["https://h/new"]}))
    os.replace(new, record)
    assert [e.urls for e in read_records(base, lambda facts: True)] == [("https://h/new",)]


@pytest.mark.parametrize("name", ["\ud800.bin", "\udc80" + "x" * 300 + ".bin"])
def test_a_name_that_is_no_text(server, name):
    for _ in range(2):
        path = fetch(server.url + NAME, name=name)
        assert path.read_bytes() == DATA
    assert path.name.endswith(".bin") and safe_name(path.name) == path.name
    assert server.count(NAME) == 1
