"""Taking things out of a cache that others are working with, and what killed processes left."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.cache_folder import look
from support.cached import DATA, NAME, SHA, left_behind

from domainkit import cache
from domainkit.cache import fetch
from domainkit.cache.quarantine import put_aside, quarantined
from domainkit.cache.records import read_records
from domainkit.cache.scraps import leftovers, unfinished
from domainkit.cache.upkeep import drop, hold_unused
from domainkit.errors import DigestError, FetchError

AB = "ab" * 32
MD5 = "md5:" + hashlib.md5(DATA).hexdigest()


def test_dropping_frees_the_bytes_and_keeps_what_the_first_copy_was(server, folder, policy):
    path = fetch(server.url + NAME)
    fetch(server.url + NAME, digest=SHA)
    assert drop(list(cache.entries()))
    assert not path.exists() and list(cache.entries()) == []
    (record,) = read_records(cache.home())
    assert record.trusted_on_first_use
    (folder / NAME.lstrip("/")).write_bytes(DATA[::-1])
    with pytest.raises(DigestError, match="recorded when the file was first fetched"):
        fetch(server.url + NAME, policy=policy)


def test_what_is_in_use_is_not_dropped(server):
    path = fetch(server.url + NAME, digest=SHA)
    same = list(cache.entries())
    for name in (same[0].key, "prepare-vision/small-train", f"blob-{same[0].sha256}"):
        with cache.lock(name):
            assert not drop(same, ["prepare-vision/small-train"])
    assert path.read_bytes() == DATA
    assert drop(same, ["prepare-vision/small-train"])


def test_what_was_used_since_it_was_chosen_is_not_dropped(server):
    path = fetch(server.url + NAME, digest=SHA)
    os.utime(next(cache.entries()).record, (1000, 1000))
    old = list(cache.entries())
    fetch(server.url + NAME, digest=SHA)
    assert not drop(old)
    again = list(cache.entries())
    fetch(server.url + NAME, digest=MD5)  # a new user of the same bytes
    assert not drop(again)
    assert path.read_bytes() == DATA


def test_locks_that_are_held_are_not_waited_for():
    with cache.lock("a"), hold_unused(["b", "a"]) as free:
        assert not free
        with hold_unused(["b"]) as other:  # what was taken before is free again
            assert other
    with hold_unused(["a", "b", "a"]) as free:
        assert free


def test_removing_waits_for_a_running_fetch(server):
    path = fetch(server.url + NAME, digest=SHA)
    (entry,) = cache.entries()
    done = threading.Event()
    with cache.lock(entry.key):
        thread = threading.Thread(target=lambda: (cache.remove(entry), done.set()))
        thread.start()
        assert not done.wait(0.2)
        assert path.exists()
    thread.join(10)
    assert done.is_set() and not path.exists()


FETCH = """
import sys, pathlib, hashlib, domainkit.cache as c
url, digest, sha, rounds = sys.argv[1], sys.argv[2] or None, sys.argv[3], int(sys.argv[4])
policy = c.Policy(5, 5, attempts=1)
for _ in range(rounds):
    path = c.fetch(url, digest=digest, policy=policy)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        continue  # removed as soon as it was there
    assert hashlib.sha256(data).hexdigest() == sha, len(data)
"""
TAKE = """
import os, sys, domainkit.cache as c
from domainkit.cache.upkeep import drop
from domainkit.cache.scraps import leftovers
from domainkit.cli.cache.items import by_content
how, end = sys.argv[1], sys.argv[2]
print("ready", flush=True)
while not os.path.exists(end):
    if how == "remove":
        for entry in c.entries():
            c.remove(entry)
    else:
        for same in by_content(c.entries()):
            drop(same)
        for left in leftovers(c.home()):
            left.take()
"""


def start(code: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(cache.__file__).parents[2],
    )


@pytest.mark.parametrize("how", ["remove", "drop"])
def test_processes_that_fetch_race_processes_that_take_away(server, tmp_path, how):
    url, end = server.url + NAME, tmp_path / "end"
    sha = SHA.removeprefix("sha256:")
    takers = [start(TAKE, how, str(end)) for _ in range(2)]
    fetchers = [start(FETCH, url, digest, sha, "40") for digest in (SHA, MD5, "")]
    try:
        for process in fetchers:
            said = process.communicate(timeout=120)[1]
            assert (process.returncode, said) == (0, "")
    finally:
        end.touch()
    for process in takers:
        said = process.communicate(timeout=60)[1]
        assert (process.returncode, said) == (0, "")
    for digest in (SHA, MD5, None):
        assert fetch(url, digest=digest).read_bytes() == DATA
    left = look(cache.home())
    assert len(left.files) == 1 and len(left.records) == 3


def test_whoever_is_killed_while_taking_things_out_leaves_a_true_cache(server, tmp_path):
    draw = random.Random(0)
    for _ in range(12):
        taker = start(TAKE, draw.choice(["remove", "drop"]), str(tmp_path / "end"))
        assert taker.stdout.readline() == "ready\n"
        until = time.monotonic() + 0.15 * draw.random()
        while time.monotonic() < until:
            for digest in (SHA, MD5, None):
                fetch(server.url + NAME, digest=digest)
        taker.kill()
        taker.communicate()
        for left in leftovers(cache.home()):
            assert left.take()
        for name in look_at_records():
            assert name.startswith("url-")  # what holds a later copy to the first one
        for digest in (SHA, MD5, None):
            assert fetch(server.url + NAME, digest=digest).read_bytes() == DATA
        assert len(look(cache.home()).files) == 1


def look_at_records() -> list[str]:
    """The keys whose bytes are gone."""
    return [entry.key for entry in read_records(cache.home()) if not entry.whole]


def aged(path: Path) -> Path:
    os.utime(path, (time.time() - 7200,) * 2)
    return path


def scraps() -> dict[str, str]:
    base = cache.home()
    return {left.path.relative_to(base).as_posix(): left.why for left in leftovers(base)}


def test_what_killed_processes_left_is_found_and_taken(server):
    path = fetch(server.url + NAME, digest=SHA)
    base, key = cache.home(), SHA.replace(":", "-")
    made = {
        "records/md5-33.json.0123456789ab.new": "a note half written",
        f"partial/{key}.part": "the file is there",
        "partial/md5-00.json": "a note of no bytes",
        "partial/md5-00.map": "a note of no bytes",
        "records/md5-11.json": "a record nobody can read",
        "records/md5-22.pending": "a record of no bytes",
        f"files/00/{'0' * 64}/lost.bin": "bytes that no record points to",
        f"quarantine/{AB}/why.json": "a note of no bytes",
    }
    for name in made:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(b"x")
        aged(base / name)
    empty = base / "files" / "11"
    empty.mkdir()
    aged(empty)
    expected = {
        **{n: why for n, why in made.items() if n[:5] not in ("files", "quara")},
        f"files/00/{'0' * 64}": "bytes that no record points to",
        f"quarantine/{AB}": "a note of no bytes",
        "files/11": "an empty folder",
    }
    assert scraps() == expected
    assert all(left.take() for left in leftovers(base))
    assert scraps() == {}
    assert len(left_behind()) == 2 and path.read_bytes() == DATA


def test_what_is_fresh_or_in_use_is_no_leftover(server, policy):
    base = cache.home()
    fetch(server.url + NAME, digest=SHA)
    # perhaps being written right now
    (base / "records" / "md5-33.json.0123456789ab.new").write_text("{")
    (base / "files" / "22").mkdir()
    assert scraps() == {}
    (base / "partial" / "md5-00.json").write_text("{}")
    (left,) = leftovers(base)
    with cache.lock("md5-00"):
        assert not left.take()
    (base / "partial" / "md5-00.json").write_text('{"new": 1}')
    os.utime(base / "partial" / "md5-00.json", (1, 1))
    assert not left.take()  # another one by now
    (left,) = leftovers(base)
    assert left.take()


def test_unfinished_fetches(server):
    partial = cache.home() / "partial"
    partial.mkdir(parents=True)
    (partial / "md5-00.part").write_bytes(b"x" * 5000)
    (partial / "md5-00.json").write_text('{"url": "https://example.org/a.zip"}')
    (partial / "md5-00.host-12.part").write_bytes(b"y")
    first, second = unfinished(cache.home())
    assert {first.key, second.key} == {"md5-00"}  # without locks each process has its own file
    assert sorted(len(left.paths) for left in (first, second)) == [1, 2]
    assert {first.url, second.url} == {"https://example.org/a.zip", None}
    with cache.lock("md5-00"):
        assert not first.take()
    assert first.take() and second.take()
    assert list(partial.iterdir()) == []


def test_putting_aside(server):
    path = fetch(server.url + NAME, digest=SHA)
    for _ in range(2):  # damaged, fetched again, damaged again
        path.write_bytes(b"damaged")
        put_aside(cache.home(), AB, path, {"why": "for a test"})
        assert fetch(server.url + NAME, digest=SHA) == path
        assert path.read_bytes() == DATA
    (put,) = quarantined(cache.home())
    assert (put.name, put.why["why"], put.why["place"]) == (path.name, "for a test", str(path))
    assert (put.folder / put.name).read_bytes() == b"damaged"
    put.delete()
    assert list(quarantined(cache.home())) == []


def test_putting_aside_what_is_called_like_the_reason(server):
    path = fetch(server.url + NAME, digest=SHA, name="why.json")
    path.write_bytes(b"damaged")
    kept = put_aside(cache.home(), AB, path, {"why": "for a test"})
    assert kept.read_bytes() == b"damaged"
    (put,) = quarantined(cache.home())
    assert (put.name, put.why["why"]) == (kept.name, "for a test")
    assert not put.clear_note()


def test_a_kill_while_putting_aside_loses_nothing(server, monkeypatch):
    path = fetch(server.url + NAME, digest=SHA)
    real = os.replace

    def die(source, target):
        if Path(target).name == path.name:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        put_aside(cache.home(), AB, path, {"why": "for a test"})
    assert path.read_bytes() == DATA
    assert scraps() == {f"quarantine/{AB}": "a note of no bytes"}


def test_verify_reports_progress_and_knows_its_own(server, tmp_path):
    path = fetch(server.url + NAME, digest=MD5)
    seen: list[int] = []
    cache.verify(path, advance=seen.append)
    assert sum(seen) == len(DATA)
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(FetchError, match="not a file of the cache"):
        cache.verify(tmp_path / "a")


FOREIGN = [
    *("thesis.new", "layout.json.new", "draft.0123456789ab.new", "partial/song.json"),
    *("partial/md5-draft.part", "records/my-experiment.json", "records/x.json.0123456789ab.new"),
    *("records/url-notes.json", "files/2020/photos/a.jpg", "files/ab/cd/b.txt"),
    *("quarantine/mail/virus.zip", f"quarantine/{AB}.bak/a", "prepared/for/my/talk/a.txt"),
    *("prepared/for/my/talk.new", "prepared/hf/mine/.hidden", "prepared/a/b/.git/config"),
    *("prepared/a/b/c/store.json", "quarantine/note.txt"),
]


def test_what_is_not_ours_is_no_leftover(server):
    from domainkit.prepared import all_prepared, store_leftovers

    fetch(server.url + NAME, digest=SHA)
    base = cache.home()
    for name in FOREIGN:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        aged_file(base / name)
    assert [*leftovers(base), *store_leftovers(), *all_prepared()] == []
    assert [*unfinished(base), *quarantined(base)] == []


def aged_file(path: Path) -> None:
    path.write_bytes(b"mine")
    aged(path)


def test_the_half_written_note_of_the_layout_is_a_leftover(server):
    fetch(server.url + NAME, digest=SHA)
    aged_file(cache.home() / "layout.json.0123456789ab.new")
    assert scraps() == {"layout.json.0123456789ab.new": "a note half written"}


def test_a_note_of_something_that_is_being_put_aside_is_left_alone(server, monkeypatch):
    """Prune looks at it between the note and the move, and again when the move is done."""
    path = fetch(server.url + NAME, digest=SHA)
    real, seen = os.replace, []

    def replace(source, target):
        if Path(target).name == path.name:
            (left,) = leftovers(cache.home())
            seen.extend([left, left.take()])
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    place = put_aside(cache.home(), AB, path, {"why": "for a test"})
    left, took = seen
    assert left.why == "a note of no bytes" and not took
    object.__setattr__(left, "changed", left.path.stat().st_mtime)  # looked at a moment later
    assert not left.take()
    assert place.read_bytes() == DATA and not path.exists()


def test_what_is_being_put_aside_is_not_deleted(server):
    path = fetch(server.url + NAME, digest=SHA)
    put_aside(cache.home(), AB, path, {"why": "for a test"})
    (put,) = quarantined(cache.home())
    with cache.lock(put.lock):
        assert not put.take()
    assert (put.folder / put.name).read_bytes() == DATA
    assert put.take() and not put.folder.exists()


def test_a_cache_in_a_folder_called_files(server, tmp_path, monkeypatch):
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "files"))
    fetch(server.url + NAME, digest=SHA)
    note = cache.home() / "partial" / "md5-00.json"
    note.write_text("{}")
    (left,) = leftovers(cache.home())
    assert left.take() and not note.exists()
    note.write_text("{}")
    (left,) = leftovers(cache.home())
    assert left.take() and not note.exists()
    lost = cache.home() / "files" / "00" / ("0" * 64) / "lost.bin"
    lost.parent.mkdir(parents=True)
    lost.write_bytes(b"x")
    (left,) = leftovers(cache.home())
    assert left.take() and not lost.exists()
