"""Large files in parts side by side: every byte asked for once, and never two versions in one."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import replace

import pytest
from support import faults
from support.cached import DATA, NAME, SHA, left_behind

from domainkit import cache
from domainkit.cache import Policy, fetch
from domainkit.cache import policy as policy_module
from domainkit.cache.claims import Claims
from domainkit.cache.helpers import Helpers
from domainkit.cache.layout import slot_for
from domainkit.cache.partial import Partial
from domainkit.cache.sources.base import Answer, Changed, Retry
from domainkit.cache.sources.http import HttpSource
from domainkit.errors import DigestError, FetchError
from domainkit.progress import bar

SIZE = len(DATA)
PIECE = 16 << 10


@pytest.fixture(params=[0, 1 << 20], ids=["from the connection", "through the parser"])
def policy(policy, request, monkeypatch):
    monkeypatch.setattr("domainkit.cache.sources.http._DIRECT", request.param)
    return replace(policy, jobs=4, large=64 << 10, piece=PIECE, enough=float("inf"))


def spans(server) -> list[tuple[int, int]]:
    """The half-open ranges asked for, in order of the file."""
    found = []
    for request in server.requests:
        assert request.range is not None, "the whole file was asked for"
        first, _, last = request.range.removeprefix("bytes=").partition("-")
        found.append((int(first), int(last) + 1))
    return sorted(found)


def test_the_parts_make_up_the_file_and_none_comes_twice(server, policy):
    path = fetch(server.url + NAME, digest=SHA, size=SIZE, policy=policy)
    assert path.read_bytes() == DATA
    parts = spans(server)
    assert len(parts) > 4
    assert [start for start, _ in parts] == [0, *(stop for _, stop in parts[:-1])]
    assert parts[-1][1] == SIZE
    assert server.sent[NAME] == SIZE
    assert all("If-Range" in headers for headers in server.headers[1:])


def test_an_unknown_size_is_learnt_from_the_first_answer(server, policy):
    server.faults[NAME] = [faults.until_asked(5)]
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA
    assert server.requests[0].range is None
    assert len(server.requests) > 4


@pytest.mark.parametrize(
    "change",
    [{"jobs": 1}, {"large": SIZE + 1}],
    ids=["one connection", "a small file"],
)
def test_one_request_is_enough(server, policy, change):
    patience = replace(policy, **change)
    assert fetch(server.url + NAME, size=SIZE, policy=patience).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None]


@pytest.mark.parametrize(
    "fault",
    [faults.ignore_range(), faults.no_validators(), faults.wrong_range(), faults.reply(b"", 416)],
    ids=["range ignored", "no validator", "another range", "416"],
)
def test_a_server_without_ranges_is_asked_for_the_whole(server, policy, fault):
    def mistreat(handler):
        (fault if "Range" in handler.headers else type(handler).answer)(handler)

    server.faults[NAME] = [mistreat] * 20
    assert fetch(server.url + NAME, size=SIZE, policy=policy).read_bytes() == DATA


@pytest.mark.parametrize("at", [1, 3, 6])
def test_a_cut_part_goes_on_where_it_broke(server, policy, at):
    server.faults[NAME] = [*[None] * at, faults.cut_after(5000)]
    assert fetch(server.url + NAME, digest=SHA, size=SIZE, policy=policy).read_bytes() == DATA
    assert server.sent[NAME] == SIZE
    assert any((first % PIECE) == 5000 for first, _ in spans(server))


def test_connections_that_a_server_refuses_are_done_without(server, policy, waits):
    server.faults[NAME] = [None, *[faults.status(429)] * 3]
    assert fetch(server.url + NAME, digest=SHA, size=SIZE, policy=policy).read_bytes() == DATA
    assert server.sent[NAME] == SIZE


def test_a_file_that_changes_meanwhile_is_not_mixed(server, folder, policy):
    new = DATA[::-1]
    changed = threading.Event()

    def change(handler):
        if not changed.is_set():
            (folder / NAME.lstrip("/")).write_bytes(new)
            changed.set()
        handler.answer()

    server.faults[NAME] = [None, None, change]
    assert fetch(server.url + NAME, size=SIZE, policy=policy).read_bytes() == new


def test_a_tag_that_differs_with_every_answer_ends_in_the_whole_file(server, policy):
    tags = iter(range(1000))

    def fault(handler):
        handler.answer(extra={"ETag": f'"{next(tags)}"'})

    server.faults[NAME] = [fault] * 50
    assert fetch(server.url + NAME, size=SIZE, policy=policy).read_bytes() == DATA


def test_wrong_bytes_in_a_part_are_not_kept(server, policy):
    server.faults[NAME] = [faults.wrong_bytes(at=i * PIECE + 7) for i in range(100)]
    with pytest.raises(DigestError, match="expected sha256"):
        fetch(server.url + NAME, digest=SHA, size=SIZE, policy=policy)
    assert left_behind() == []


def test_a_later_run_asks_for_what_is_missing(server, policy):
    once = replace(policy, attempts=1)
    server.faults[NAME] = [None, None, *[faults.cut_after(3000)] * 20]
    with pytest.raises(FetchError, match=r"connection.*\(1 attempts\)"):
        fetch(server.url + NAME, size=SIZE, policy=once)
    held = server.sent[NAME]
    assert 0 < held < SIZE
    del server.faults[NAME]
    assert fetch(server.url + NAME, size=SIZE, policy=once).read_bytes() == DATA
    assert server.sent[NAME] == SIZE


def test_another_mirror_goes_on_with_a_file_of_known_digest(server, folder, policy, monkeypatch):
    copy = folder / "mirror" / server.url.removeprefix("http://") / NAME.lstrip("/")
    copy.parent.mkdir(parents=True)
    copy.write_bytes(DATA)
    asked = "/" + copy.relative_to(folder).as_posix()
    server.faults[asked] = [faults.cut_after(100_000), *[faults.status(404)] * 2]
    monkeypatch.setenv("DOMAINKIT_MIRROR", server.url + "/mirror")
    patience = replace(policy, jobs=1)
    assert fetch(server.url + NAME, digest=SHA, policy=patience).read_bytes() == DATA
    assert server.requests[-1] == ("GET", NAME, "bytes=100000-")
    assert server.sent[asked] + server.sent[NAME] == SIZE


def test_connections_are_shared_by_the_files_of_a_policy(server, folder, policy, monkeypatch):
    now, most, lock, real = Counter(), Counter(), threading.Lock(), HttpSource.open

    def count(change):
        with lock:
            now["open"] += change
            most["open"] = max(most["open"], now["open"])

    def counted(self, *args):
        count(+1)
        answer = real(self, *args)
        close = answer.close
        answer.close = lambda: (count(-1), close())
        return answer

    monkeypatch.setattr(HttpSource, "open", counted)
    patience = replace(policy, jobs=3)
    names = [f"/{i}.bin" for i in range(4)]
    for i, name in enumerate(names):
        (folder / name.lstrip("/")).write_bytes(DATA[i:])
    threads = [
        threading.Thread(target=fetch, args=(server.url + name,), kwargs={"policy": patience})
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(cache.entries())) == 4
    assert now["open"] == 0
    assert 1 <= most["open"] <= 3


def test_a_deadline_ends_it_and_keeps_what_came(server, policy):
    clock = [0.0]

    def cut(handler):
        clock[0] += 4
        faults.cut_after(20_000)(handler)

    server.faults[NAME] = [cut] * 10
    patience = replace(policy, jobs=1, deadline=10.0, monotonic=lambda: clock[0])
    with pytest.raises(FetchError, match=r"the time of 10 s for this file has passed; 60,000"):
        fetch(server.url + NAME, size=SIZE, policy=patience)
    del server.faults[NAME]
    assert fetch(server.url + NAME, size=SIZE, policy=policy).read_bytes() == DATA
    assert server.sent[NAME] == SIZE


def test_bandwidth_is_kept_to(server, policy):
    clock = [0.0]

    def sleep(seconds):
        clock[0] += seconds

    patience = replace(policy, bandwidth=100_000.0, sleep=sleep, monotonic=lambda: clock[0], jobs=1)
    fetch(server.url + NAME, size=SIZE, policy=patience)
    assert clock[0] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("Repr-Digest", "sha-256=:" + "A" * 43 + "=:"),
        ("x-goog-hash", "crc32c=n03x6A==,md5=" + "A" * 22 + "=="),
        ("Content-MD5", "A" * 22 + "=="),
    ],
)
def test_a_digest_that_the_server_tells_is_held_to(server, policy, waits, header, says):
    def fault(handler):
        handler.answer(extra={header: says})

    server.faults[NAME] = [fault] * 20
    with pytest.raises(FetchError, match="not those whose digest it told"):
        fetch(server.url + NAME, policy=replace(policy, jobs=1))
    assert left_behind() == []


@pytest.mark.parametrize(
    "wrong", [{"jobs": 0}, {"attempts": 0}, {"deadline": 0.0}, {"bandwidth": -1.0}]
)
def test_a_policy_without_sense_is_refused(wrong):
    with pytest.raises(FetchError, match=f"Policy\\({next(iter(wrong))}=\\): expected"):
        Policy(**wrong)


@pytest.mark.parametrize("text", ["fast", "0", "-1MB", "5 apples", "1i"])
def test_a_bandwidth_that_is_none_is_refused(text):
    with pytest.raises(FetchError, match="is not a bandwidth"):
        policy_module.parse_rate(text)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("DOMAINKIT_JOBS", "four", "a whole number, 1 or more"),
        ("DOMAINKIT_JOBS", "0", "a whole number, 1 or more"),
        ("DOMAINKIT_DEADLINE", "0", "a number of seconds, more than 0"),
        ("DOMAINKIT_DEADLINE", "nan", "a number of seconds, more than 0"),
        ("DOMAINKIT_DEADLINE", "soon", "a number of seconds, more than 0"),
        ("DOMAINKIT_BANDWIDTH", "fast", "bytes per second, like 500kB"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(monkeypatch, name, text, expected):
    monkeypatch.setenv(name, text)
    with pytest.raises(FetchError, match=f"^{name}={text}: expected {expected}"):
        Policy.from_environment()


def test_one_part_answered_with_the_whole_costs_no_other(server, policy, monkeypatch):
    thrown_away, reset = [], Partial.reset

    def counted(partial):
        thrown_away.append(partial.held)
        reset(partial)

    monkeypatch.setattr(Partial, "reset", counted)
    server.faults[NAME] = [None, None, None, faults.ignore_range()]
    assert fetch(server.url + NAME, digest=SHA, size=SIZE, policy=policy).read_bytes() == DATA
    assert None not in [request.range for request in server.requests]
    assert set(thrown_away) == {0}


class Shifting:
    """A source whose file becomes another one while it is read, and says so at the end."""

    url = "test://shifting"

    def __init__(self):
        self.version, self.opened = 0, 0
        self.lock = threading.Lock()

    def data(self, version):
        return bytes([version]) * SIZE

    def open(self, start=0, stop=None, validator=None):
        with self.lock:
            self.opened += 1
            if self.opened == 3:
                self.version = 1
            version, tag = self.version, f"v{min(self.version, int(self.opened > 3))}"
        stop = SIZE if stop is None else stop

        def chunks():
            yield self.data(version)[start:stop]
            if self.version != int(tag[1:]):
                raise Changed("changed while it was read")

        return Answer(chunks(), start, stop, SIZE, tag, ranges=True)

    def close(self):
        pass


def test_parts_of_two_versions_are_never_joined(policy, monkeypatch):
    source = Shifting()
    monkeypatch.setattr("domainkit.cache.fetcher.open_source", lambda url, policy, until: source)
    path = fetch("https://127.0.0.1/a", size=SIZE, policy=policy)
    assert set(path.read_bytes()) == {1}


def test_without_more_threads_it_goes_on_alone(server, folder, policy, monkeypatch):
    data = DATA * 40  # enough for the digest to want a thread
    (folder / "big.bin").write_bytes(data)
    main, start = threading.current_thread(), threading.Thread.start

    def refuse(self):
        if threading.current_thread() is main:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for _ in range(3):
        path = fetch(server.url + "/big.bin", size=len(data), policy=policy)
        assert path.read_bytes() == data
        path.unlink()
    with policy.connections.one():  # none was lost
        assert [policy.connections.spare() for _ in range(4)] == [True, True, True, False]


def test_a_fast_connection_is_left_alone(server, policy):
    patience = replace(policy, enough=1.0)
    assert fetch(server.url + NAME, policy=patience).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None]


def test_a_wait_for_a_connection_can_be_ended(server, policy):
    patience = replace(policy, jobs=1)
    with patience.connections.one(), pytest.raises(FetchError, match="not wanted any more"):
        fetch(server.url + NAME, policy=patience, unwanted=lambda: True)


def test_a_wait_for_another_process_can_be_ended(server, policy):
    slot = slot_for([server.url + NAME], None, None)
    with cache.lock(slot.key), pytest.raises(FetchError, match="not wanted any more"):
        fetch(server.url + NAME, policy=policy, unwanted=lambda: True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_all_connections():
    policy = Policy.from_environment()
    assert Policy.from_environment() is policy
    with policy.connections.one():
        while policy.connections.spare():
            pass
        child = os.fork()
        if child == 0:
            os._exit(0 if Policy.from_environment().connections.spare() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    policy_module._from_texts.cache_clear()


def test_a_stream_does_not_run_on_into_a_piece_that_is_begun(server, policy):
    """The first answer goes to the end of the file; a helper was cut in the piece after its run."""
    refused = threading.Event()

    def whole(handler):
        def change(block, offset):  # slowly to the end of the run, then as soon as the way is free
            refused.wait(0.02 if offset < 3 * PIECE else 20)
            return block

        handler.answer(change=change, pace=(2048, 0.0))

    def refuse(handler):
        handler.reply(503)
        handler.server.owner.closing.wait(0.1)  # for the helper to give its piece back
        refused.set()

    server.faults[NAME] = [whole, faults.cut_after(PIECE // 2), refuse]
    assert fetch(server.url + NAME, policy=replace(policy, jobs=2)).read_bytes() == DATA
    asked = [request.range for request in server.requests]
    assert asked.count(None) == 1
    begun = 4 * PIECE + PIECE // 2
    assert asked[2].startswith(f"bytes={begun}-")
    assert server.count(NAME) > 3


def test_bytes_from_elsewhere_are_not_written(tmp_path):
    with (
        bar("a", 100, "B", False) as shown,
        Partial(tmp_path / "a.part", "sha256", shown, promised=True) as partial,
    ):
        partial.begin("https://h/a", '"1"', 100, 50)
        partial.write(1, b"x" * 10, 50)
        with pytest.raises(RuntimeError, match="byte 50 came where 60 is missing"):
            partial.write(1, b"x" * 10, 50)
        assert partial.held == 10


def test_a_source_that_refuses_helpers_is_not_asked_again_and_again(tmp_path, policy):
    clock, asked = [0.0], []
    patience = replace(policy, jobs=2, monotonic=lambda: clock[0])

    def refused(run):
        asked.append(clock[0])
        raise Retry("answers 429 Too Many Requests", after="60")

    with (
        bar("a", 1000, "B", False) as shown,
        Partial(tmp_path / "a.part", "sha256", shown, promised=True) as partial,
    ):
        partial.begin("https://h/a", '"1"', 1000, 100)
        helpers = Helpers(partial, Claims(partial, 2, 100), patience, refused)
        for _ in range(300):
            helpers.recruit()
            while helpers.busy:
                helpers.wait()
            clock[0] += 1
        assert asked == [0, 60, 120]
        assert patience.connections.spare()


@pytest.mark.parametrize("code", [400, 403, 500])
@pytest.mark.parametrize("known", [True, False])
def test_a_source_that_refuses_parts_is_asked_for_the_whole(server, policy, code, known):
    def refuse(handler):
        if "Range" in handler.headers:
            handler.reply(code)
        else:
            handler.answer()

    server.faults[NAME] = [] if known else [faults.cut_after(100_000)]
    server.always[NAME] = refuse
    patience = policy if known else replace(policy, jobs=1)
    path = fetch(server.url + NAME, size=SIZE if known else None, policy=patience)
    assert path.read_bytes() == DATA
    asked = [request.range for request in server.requests]
    assert asked[-1] is None
    tries = policy.attempts - (not known) if code == 500 else 1  # the cut was one of them
    assert len([one for one in asked if one]) == tries


@pytest.mark.parametrize("code", [404, 410, 401])
def test_what_holds_for_the_whole_is_not_asked_twice(server, policy, code):
    server.faults[NAME] = [faults.cut_after(100_000), faults.status(code)]
    with pytest.raises(FetchError, match=str(code)):
        fetch(server.url + NAME, policy=replace(policy, jobs=1))
    assert fetch(server.url + NAME, policy=replace(policy, jobs=1)).read_bytes() == DATA
    assert [request.range for request in server.requests][2:] == ["bytes=100000-"]
