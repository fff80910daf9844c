"""Servers that break off, stall, lie or refuse: each fault in each way of fetching.

The table is in ``support.fault_cases``. After an error the server is well again, and the next
fetch has to give the right file.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import time
from dataclasses import replace

import pytest
from support import faults
from support.cache_folder import look
from support.cached import DATA, NAME, SHA
from support.fault_cases import CONNECTION, CONTENT, LENGTH, PAGE, RANGES, SEVERAL, STATUS
from support.fault_modes import MODES, Believed, Mode, Outcome, Refused

from domainkit import cache
from domainkit.cache import fetch
from domainkit.cache.sources import http
from domainkit.errors import DigestError, FetchError

pytestmark = pytest.mark.usefixtures("no_hang")


CASES = [*CONNECTION, *LENGTH, *CONTENT, *RANGES, *STATUS]


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault(case, mode, server, home, clock):
    meet(case, mode, server, home, clock)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode.digest], ids=str)
@pytest.mark.parametrize("case", [*CONNECTION, *LENGTH, *CONTENT, *RANGES], ids=str)
def test_a_fault_read_from_the_connection_itself(case, mode, server, home, clock, monkeypatch):
    """As large bodies are, past the HTTP parser; here all that are longer than a few bytes."""
    monkeypatch.setattr(http, "_DIRECT", 10)
    monkeypatch.setattr(http, "_BLOCK", 8192)
    meet(case, mode, server, home, clock)


def meet(case, mode, server, home, clock):
    """Lets one fetch meet the fault, and the next one a server that is well."""
    server.faults[NAME] = list(case.first)
    if case.always is not None:
        server.always[NAME] = case.always
    url, digest = server.url + NAME, SHA if mode.digest else None
    policy = mode.policy(clock, case.read_timeout)
    try:
        path, error = fetch(url, digest=digest, policy=policy), None
        data = path.read_bytes()
    except FetchError as caught:
        path, data, error = None, b"", caught
    assert any(fits(outcome, data, error) for outcome in case.outcomes(mode)), error or data[:80]
    left = look(home)
    if error is None:
        assert_kept(home, mode, url, path, data)
    else:
        assert url in str(error)
        resumable = any(isinstance(o, Refused) and o.resumable for o in case.outcomes(mode))
        assert left.empty or resumable
        assert not (left.files or left.records or left.others)
        assert all(name.startswith(key_of(mode)) for name in left.partial)
    if not mode.ranges:
        assert server.sent[NAME] == len(DATA) or not case.once
        assert case.asked in (None, len(server.requests))
        assert case.waited is None or list(case.waited) == clock.waits
    assert sum(clock.waits) <= 300
    if error is not None:
        server.faults.clear()
        server.always.clear()
        path = fetch(url, digest=digest, policy=policy)
        assert path.read_bytes() == DATA
        assert_kept(home, mode, url, path, DATA)


def fits(outcome: Outcome, data: bytes, error: FetchError | None) -> bool:
    if isinstance(outcome, Refused):
        return type(error) is outcome.kind and bool(re.search(outcome.words, str(error), re.S))
    if isinstance(outcome, Believed):
        return error is None and data != DATA and outcome.makes(DATA) in (None, data)
    return error is None and data == DATA


def key_of(mode: Mode) -> str:
    return SHA.replace(":", "-") if mode.digest else "url-"


def assert_kept(home, mode, url, path, data):
    """One file and its record, as the layout has them, and nothing unfinished."""
    left = look(home)
    sha256 = hashlib.sha256(data).hexdigest()
    assert left.files == (f"{sha256[:2]}/{sha256}/data.bin",)
    assert path == home / "files" / left.files[0]
    assert (left.partial, left.others) == ((), ())
    ((key, record),) = left.records.items()
    assert key.startswith(key_of(mode))
    assert (record["sha256"], record["size"]) == (sha256, len(data))
    assert (record["urls"], record["digest"]) == ([url], SHA if mode.digest else None)
    (entry,) = cache.entries()
    assert entry.trusted_on_first_use == (not mode.digest)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_the_modes_are_what_they_say(mode, server, home, clock):
    """Without a fault: one request for all, or one for the whole and several for parts."""
    if mode.ranges:  # on a busy machine the first connection would bring it all
        server.faults[NAME] = [faults.until_asked(3)]
    fetch(server.url + NAME, digest=SHA if mode.digest else None, policy=mode.policy(clock))
    parts = [request.range for request in server.requests if request.range]
    assert bool(parts) == mode.ranges
    assert len(server.requests) == 1 or len(parts) >= 2
    assert clock.waits == []


WITHOUT_END = {
    "a trickle": faults.trickle(2_000, 0.05),
    "silence": faults.silent(),
}


@pytest.mark.parametrize("fault", WITHOUT_END)
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_deadline_ends_it_whatever_the_server_does(mode, fault, server, home, clock):
    server.always[NAME] = WITHOUT_END[fault]
    policy = replace(mode.policy(clock, 5.0), deadline=0.5, monotonic=time.monotonic)
    start = time.monotonic()
    with pytest.raises(FetchError, match="time of") as caught:
        fetch(server.url + NAME, digest=SHA if mode.digest else None, policy=policy)
    assert time.monotonic() - start < 5
    assert server.url + NAME in str(caught.value)
    left = look(home)
    assert not (left.files or left.records or left.others)
    server.always.clear()
    path = fetch(server.url + NAME, policy=mode.policy(clock))
    assert path.read_bytes() == DATA


SIZED = [
    (faults.reply(b""), "300,000"),
    (faults.html(), PAGE),
    (faults.reply(DATA[:-1]), "299,999 bytes where 300,000"),
    (faults.reply(DATA + b"x"), "300,001 bytes where 300,000"),
    (faults.bad_length(-10), "299,990 bytes where 300,000"),
    (faults.no_length(10_000), SEVERAL),
    (faults.chunked(10_000), SEVERAL),
]


@pytest.mark.parametrize(("fault", "words"), SIZED)
def test_a_size_without_a_digest_finds_what_has_another(fault, words, server, home, clock):
    server.always[NAME] = fault
    mode = MODES[1]
    with pytest.raises(FetchError, match=words):
        fetch(server.url + NAME, size=len(DATA), policy=mode.policy(clock))
    left = look(home)
    assert not (left.files or left.records or left.others)
    server.always.clear()
    path = fetch(server.url + NAME, size=len(DATA), policy=mode.policy(clock))
    assert path.read_bytes() == DATA


TOLD = {
    "Repr-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(DATA).digest()).decode()}:",
    "x-goog-hash": f"crc32c=AAAAAA==,md5={base64.b64encode(hashlib.md5(DATA).digest()).decode()}",
    "Content-MD5": base64.b64encode(hashlib.md5(DATA).digest()).decode(),
}


@pytest.mark.parametrize("header", TOLD)
@pytest.mark.parametrize("mode", [mode for mode in MODES if not mode.digest], ids=str)
def test_a_digest_that_the_server_tells_is_held_to(mode, header, server, home, clock):
    server.extra[header] = TOLD[header]
    server.always[NAME] = faults.wrong_bytes(200_000)
    with pytest.raises(FetchError, match="not those whose digest it told"):
        fetch(server.url + NAME, policy=mode.policy(clock))
    assert look(home).empty
    server.always.clear()
    server.faults[NAME] = [faults.cut_after(10_000)]
    assert fetch(server.url + NAME, policy=mode.policy(clock)).read_bytes() == DATA


def test_what_was_believed_is_held_to_afterwards(server, home, clock):
    """A file without a digest is trusted on first use, and on no other."""
    server.always[NAME] = faults.wrong_bytes(5)
    policy = MODES[1].policy(clock)
    first = fetch(server.url + NAME, policy=policy)
    assert first.read_bytes() != DATA
    first.unlink()  # lost, its record is not
    server.always.clear()
    with pytest.raises(DigestError, match="recorded when the file was first fetched"):
        fetch(server.url + NAME, policy=policy)


def test_a_mirror_makes_good_what_the_first_address_spoils(server, home, folder, clock):
    (folder / "spoilt.bin").write_bytes(gzip.compress(DATA))
    for mode in MODES:
        if mode.digest:
            urls = [server.url + "/spoilt.bin", server.url + "/nowhere.bin", server.url + NAME]
            path = fetch(urls, digest=SHA, policy=mode.policy(clock), name="data.bin")
            assert path.read_bytes() == DATA
            cache.remove(next(iter(cache.entries())))
