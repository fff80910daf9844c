"""A file that becomes another while it is fetched: all of one version or an error, never a mix.

The server is asked for the first bytes of the old version and for the rest of the new one. Good
servers honour If-Range and send the new one from its start. Others send the rest of it, and can be
told by the part's validator or size; one that hides both can be told by a digest alone.
"""

from __future__ import annotations

import hashlib
import os
import random

import pytest
from support import faults
from support.cache_folder import look
from support.cached import DATA, NAME, SHA
from support.fault_modes import MODES

from domainkit.cache import Policy, fetch
from domainkit.errors import DigestError, FetchError

pytestmark = pytest.mark.usefixtures("no_hang")

SAME = random.Random(1).randbytes(len(DATA))
SHORTER = random.Random(2).randbytes(180_000)
LONGER = random.Random(3).randbytes(420_000)
TINY = b"gone\n"
NEW = {"same size": SAME, "shorter": SHORTER, "longer": LONGER, "tiny": TINY}

# how the server answers for the new version
MANNERS = {
    "If-Range honoured": None,
    "If-Range ignored": faults.if_range_ignored(),
    "If-Range ignored, weak tag": faults.if_range_ignored(ETag='W/"2"', Last_Modified=""),
    "If-Range ignored, a date alone": faults.if_range_ignored(ETag=""),
    "no part says its version": faults.of_parts(faults.if_range_ignored(tags=False)),
    "no ranges any more": faults.ignore_range(),
}


def change(folder, data, server, manner):
    """Replaces the file from now on, as a server does that is updated: at once."""

    def do():
        new = folder / "new"
        new.write_bytes(data)
        os.utime(new, (1_500_000_000, 1_500_000_000))
        os.replace(new, folder / NAME.lstrip("/"))
        if MANNERS[manner] is not None:
            server.always[NAME] = MANNERS[manner]

    answer = MANNERS[manner]
    return faults.first(do, answer)


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def version(data: bytes, new: bytes) -> str:
    return {DATA: "old", new: "new"}.get(data, "a mix of two versions")


def test_the_contents_differ():
    assert len({sha(data) for data in (DATA, *NEW.values())}) == 5


@pytest.mark.parametrize("when", [1, 2, 4])
@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("size", NEW)
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_changed_between_two_requests(mode, size, manner, when, server, folder, home, clock):
    new = NEW[size]
    server.faults[NAME] = [
        *[faults.cut_after(20_000)] * when,
        change(folder, new, server, manner),
    ]
    digest = sha(new) if mode.digest else None
    try:
        data = fetch(server.url + NAME, digest=digest, policy=mode.policy(clock)).read_bytes()
    except FetchError:
        assert not look(home).files
        data = fetch(server.url + NAME, digest=digest, policy=mode.policy(clock)).read_bytes()
    assert version(data, new) in ({"new"} if mode.digest else {"old", "new"})
    assert look(home).partial == ()


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode.digest], ids=str)
def test_the_promised_version_is_gone(mode, manner, server, folder, home, clock):
    server.faults[NAME] = [faults.cut_after(20_000), change(folder, SAME, server, manner)]
    with pytest.raises(DigestError, match="expected sha256"):
        fetch(server.url + NAME, digest=SHA, policy=mode.policy(clock))
    assert look(home).empty


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("size", NEW)
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_changed_between_two_runs(mode, size, manner, server, folder, home, clock):
    """The first run ends with an error, the next one finds another file."""
    server.always[NAME] = faults.first(lambda: None, faults.cut_after(20_000))
    once = mode.policy(clock, attempts=1, attempts_in_all=1)
    digest = sha(NEW[size]) if mode.digest else None
    with pytest.raises(FetchError):
        fetch(server.url + NAME, digest=digest, policy=once)
    server.always.clear()
    server.faults[NAME] = [change(folder, NEW[size], server, manner)]
    try:
        data = fetch(server.url + NAME, digest=digest, policy=mode.policy(clock)).read_bytes()
    except FetchError:
        data = fetch(server.url + NAME, digest=digest, policy=mode.policy(clock)).read_bytes()
    assert version(data, NEW[size]) == "new"
    assert look(home).partial == ()


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("size", NEW)
def test_a_server_that_knows_dates_alone(mode, size, server, folder, home, clock):
    """Its parts say when they were changed, and it ignores If-Range."""
    os.utime(folder / NAME[1:], (1_400_000_000, 1_400_000_000))
    dates = faults.if_range_ignored(ETag="")
    server.faults[NAME] = [
        lambda handler: (handler.answer(limit=20_000, extra={"ETag": ""}), handler.hang_up()),
        dates,
        change(folder, NEW[size], server, "If-Range ignored, a date alone"),
    ]
    server.always[NAME] = dates
    if not mode.ranges:
        del server.faults[NAME][1]
    digest = sha(NEW[size]) if mode.digest else None
    try:
        data = fetch(server.url + NAME, digest=digest, policy=mode.policy(clock)).read_bytes()
    except FetchError:
        data = fetch(server.url + NAME, digest=digest, policy=mode.policy(clock)).read_bytes()
    assert version(data, NEW[size]) == "new"


def test_no_version_is_trusted_across_runs_without_a_validator(server, home, clock):
    """Bytes that nothing names are not taken up again."""
    server.faults[NAME] = [faults.no_validators(20_000)]
    with pytest.raises(FetchError):
        fetch(server.url + NAME, policy=Policy(5, 5, attempts=1, sleep=clock.sleep))
    assert look(home).empty
    assert fetch(server.url + NAME, policy=Policy(5, 5)).read_bytes() == DATA
    assert [request.range for request in server.requests] == [None, None]
