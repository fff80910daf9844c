"""Many processes and threads that ask at once: one of them fetches, the others wait and say so.

The processes are real ones, as torchrun or two notebooks start them. They are held at points that
the server knows of, so nothing here depends on who is faster.
"""

from __future__ import annotations

import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support import faults
from support.own_card import ROWS, write_card
from support.server import Fault, FileServer, Handler

from domainkit import cache
from domainkit.cache import Policy, fetch
from domainkit.cards import parse_card
from domainkit.errors import FetchError
from domainkit.prepare import prepare

pytestmark = [
    pytest.mark.usefixtures("home", "no_hang"),
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs the signals of POSIX"),
]

PATIENCE = 30.0  # seconds for something that is to come at once
PIECE = 64 << 10
RANGES = {"jobs": 4, "piece": PIECE, "large": 4 * PIECE, "enough": float("inf")}
SMALL = random.Random(5).randbytes(5000)
LARGE = random.Random(6).randbytes(20 * PIECE + 777)
HUGE = random.Random(7).randbytes(24 << 20)  # more than the sockets between two processes hold
FILES = {"/small": SMALL, "/other": SMALL[::-1], "/large": LARGE, "/huge": HUGE}

CODE = """
import json, os, sys
import domainkit.cache as cache, domainkit.cache.ranges, domainkit.cache.sources.http
print("ready", flush=True)
for line in sys.stdin:
    home, url, policy, facts = json.loads(line)
    os.environ["DOMAINKIT_HOME"] = home
    path = cache.fetch(url, policy=cache.Policy(30.0, 30.0, **policy), progress=True, **facts)
    print(path, flush=True)
"""


class Asker:
    """A process that fetches what it is told to.

    ``paths`` are the lines on its standard output, ``heard`` those on the other.
    """

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            cwd=Path(cache.__file__).parents[2],
        )
        self.paths: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.heard: list[str] = []
        pairs = (
            (self.process.stdout, self.paths.put),
            (self.process.stderr, self.heard.append),
        )
        self._threads = [threading.Thread(target=_pour, args=pair) for pair in pairs]
        for thread in self._threads:
            thread.start()

    def ask(self, url: str, policy: dict[str, Any] | None = None, **facts: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([str(cache.home()), url, policy or {}, facts]) + "\n")
        self.process.stdin.flush()

    def path(self) -> str:
        """The next path that it has fetched."""
        try:
            return self.paths.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"no answer; it said {self.heard}") from None

    def says(self, word: str) -> str:
        """Waits for a line of its progress, or of an error, with this word in it."""
        until(lambda: any(word in line for line in self.heard), f"{word!r} on its progress line")
        return next(line for line in self.heard if word in line)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.send_signal(signal.SIGCONT)
        self.process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


def _pour(pipe: Any, into: Callable[[str], None]) -> None:
    for line in pipe:
        into(line.rstrip("\n"))


@contextmanager
def askers(count: int) -> Iterator[list[Asker]]:
    """So many processes that have started and wait for orders."""
    made: list[Asker] = []
    try:
        made += [Asker() for _ in range(count)]
        for one in made:
            assert one.path() == "ready"
        yield made
    finally:
        for one in made:
            one.end()


@pytest.fixture(scope="module")
def sixteen() -> Iterator[list[Asker]]:
    """Sixteen processes that are not killed, for several tests."""
    with askers(16) as made:
        yield made


class Gate:
    """A fault that holds a request after so many bytes until it is opened."""

    def __init__(self, after: int = 0) -> None:
        self.after = after
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, handler: Handler) -> None:
        path = handler.find()
        assert path is not None
        left = self.after

        def change(block: bytes, offset: int) -> bytes:
            nonlocal left
            left -= len(block)
            if left <= 0:
                handler.wfile.flush()
                self.reached.set()
                while not (self.opened.wait(0.02) or handler.server.owner.closing.is_set()):
                    pass
            return block

        handler.answer(change=change)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[FileServer]:
    folder = tmp_path / "files"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name[1:]).write_bytes(data)
    with FileServer(folder) as server:
        yield server


def digest(name: str) -> str:
    return "sha256:" + sha256(FILES[name]).hexdigest()


def spans(server: FileServer, name: str, since: int = 0) -> list[tuple[int, int]]:
    """The half-open ranges that were asked for of a file, in order of place."""
    found = []
    for request in server.requests[since:]:
        if request.path == name:
            first, _, last = (request.range or "bytes=0-").removeprefix("bytes=").partition("-")
            found.append((int(first), int(last) + 1 if last else len(FILES[name])))
    return sorted(found)


def assert_partition(ranges: list[tuple[int, int]], start: int, stop: int) -> None:
    assert ranges[0][0] == start and ranges[-1][1] == stop
    for (_, end), (begin, _) in pairwise(ranges):
        assert begin == end, f"{ranges}: bytes are asked for twice, or never"


def all_right(paths: list[str], name: str) -> None:
    assert len(set(paths)) == 1
    assert Path(paths[0]).read_bytes() == FILES[name]


def until(true: Callable[[], bool], what: str) -> None:
    """Waits for something that other processes do."""
    limit, pause = time.monotonic() + PATIENCE, threading.Event()
    while not true():
        assert time.monotonic() < limit, f"{what} did not come"
        pause.wait(0.002)


@pytest.mark.parametrize("promised", [True, False], ids=["digest", "no digest"])
def test_sixteen_processes_make_one_request(
    served: FileServer, sixteen: list[Asker], promised: bool
) -> None:
    gate = Gate()
    served.faults["/small"] = [gate]
    facts = {"digest": digest("/small")} if promised else {}
    for one in sixteen:
        one.heard.clear()
        one.ask(served.url + "/small", **facts)
    assert gate.reached.wait(PATIENCE)
    assert list(cache.entries()) == []
    until(lambda: sum(map(_waits, sixteen)) == 15, "15 that say they wait")
    gate.opened.set()
    all_right([one.path() for one in sixteen], "/small")
    assert sum(map(_waits, sixteen)) == 15
    assert served.requests == [("GET", "/small", None)]


def _waits(asker: Asker) -> bool:
    return any("another process is at it, waiting" in line for line in asker.heard)


@pytest.mark.parametrize("known", [True, False], ids=["size known", "size unknown"])
def test_sixteen_processes_ask_for_each_byte_once(
    served: FileServer, sixteen: list[Asker], known: bool
) -> None:
    facts = {"size": len(LARGE)} if known else {}
    for one in sixteen:
        one.ask(served.url + "/large", RANGES, digest=digest("/large"), **facts)
    all_right([one.path() for one in sixteen], "/large")
    ranges = spans(served, "/large")
    assert len(ranges) > 4 or not known
    if not known:
        # the first answer tells the size; it goes on for as long as nobody is at what follows
        assert ranges[0] == (0, len(LARGE))
        ranges[0] = (0, [*ranges, (len(LARGE), 0)][1][0])
    assert_partition(ranges, 0, len(LARGE))


def test_a_file_that_is_there_is_given_to_all_at_once(
    served: FileServer, sixteen: list[Asker]
) -> None:
    fetch(served.url + "/small", digest=digest("/small"))
    with cache.lock(digest("/small").replace(":", "-")):  # nobody needs it
        for one in sixteen:
            one.ask(served.url + "/small", digest=digest("/small"))
        all_right([one.path() for one in sixteen], "/small")
    assert served.count("/small") == 1


def take_over(
    served: FileServer, policy: dict[str, Any], gate: Fault, ready: Callable[[], bool]
) -> tuple[float, int]:
    """Kills the one of four processes that fetches, once it is ``ready`` and the others wait.

    Returns the seconds until another asks for the rest, and the number of requests before that.
    """
    facts = {"digest": digest("/huge"), "size": len(HUGE)}
    came: queue.SimpleQueue[float] = queue.SimpleQueue()
    with askers(4) as (first, *others):
        served.always["/huge"] = gate
        first.ask(served.url + "/huge", policy, **facts)
        until(ready, "a good part of the file")
        for one in others:
            one.ask(served.url + "/huge", policy, **facts)
        for one in others:
            one.says("waiting")
        served.always.clear()
        served.faults["/huge"] = [faults.first(lambda: came.put(time.monotonic()))]
        before = len(served.requests)
        first.signal(signal.SIGKILL)
        killed = time.monotonic()
        all_right([one.path() for one in others], "/huge")
        return came.get(timeout=PATIENCE) - killed, before


def _held() -> int:
    """Bytes of partial files that take room on the disk: ranges leave holes."""
    try:
        return sum(path.stat().st_blocks * 512 for path in _partial_files())
    except FileNotFoundError:
        return 0


def _partial_files() -> list[Path]:
    return list((cache.home() / "partial").glob("*.part"))


def test_when_the_one_that_fetches_is_killed_another_goes_on(served: FileServer) -> None:
    gate = Gate(after=len(HUGE) - 1000)
    seconds, _ = take_over(served, {"jobs": 1}, gate, lambda: _held() > len(HUGE) // 4)
    assert seconds < 10  # a busy machine; one that waits for a time limit would take 30
    first, second = served.requests
    assert first.range is None
    start = int(str(second.range).removeprefix("bytes=").partition("-")[0])
    assert start > len(HUGE) // 4


def test_when_the_one_that_fetches_ranges_is_killed_another_goes_on(served: FileServer) -> None:
    piece = 1 << 20
    policy = {"jobs": 4, "piece": piece, "large": 4 * piece, "enough": float("inf")}
    early: list[tuple[int, int]] = []
    held: list[tuple[int, int]] = []

    def gate(handler: Handler) -> None:
        """Serves parts of the first half; the others hang until the end."""
        span = handler.wanted(len(HUGE), {}, if_range=False)
        assert span is not None
        if span[0] >= len(HUGE) // 2:
            held.append(span)
            faults.silent()(handler)
        else:
            early.append(span)
            handler.answer()

    def ready() -> bool:
        return len(held) == 4 and _held() >= sum(stop - start for start, stop in early)

    seconds, before = take_over(served, policy, gate, ready)
    assert seconds < 10  # a busy machine; one that waits for a time limit would take 30
    assert_partition(sorted([*early, *held]), 0, max(stop for _, stop in held))
    there = max(stop for _, stop in early)
    # what was there is not asked for again, apart from what was written and not yet counted
    later = spans(served, "/huge", before)
    assert later[0][0] >= there - 4 * (1 << 18)
    assert_partition(later, later[0][0], len(HUGE))


def test_two_files_never_wait_for_each_other(served: FileServer) -> None:
    gate = Gate()
    served.faults["/small"] = [gate]
    with askers(2) as (one, two):
        one.ask(served.url + "/small")
        assert gate.reached.wait(PATIENCE)
        two.ask(served.url + "/other")
        all_right([two.path()], "/other")
        assert not gate.opened.is_set() and one.paths.empty()
        gate.opened.set()
        all_right([one.path()], "/small")
        assert not _waits(one) and not _waits(two)


def test_two_files_of_one_process_never_wait_for_each_other(served: FileServer) -> None:
    gate = Gate()
    served.faults["/small"] = [gate]
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(fetch, served.url + "/small")
        assert gate.reached.wait(PATIENCE)
        all_right([str(fetch(served.url + "/other"))], "/other")
        assert not held.done()
        gate.opened.set()
        all_right([str(held.result(PATIENCE))], "/small")


def test_two_datasets_never_wait_for_each_other(served: FileServer, tmp_path: Path) -> None:
    cards = []
    for name in ("held", "free"):
        rows = f"{name} 7\n{ROWS}"
        (served.folder / f"{name}.txt").write_text(rows, encoding="utf-8")
        data = rows.encode()
        file = {
            "url": f"{served.url}/{name}.txt",
            "sha256": sha256(data).hexdigest(),
            "size": len(data),
        }
        write_card(tmp_path / name, {"files.rows": file, "name": f"vision/{name}"}, rows)
        place = tmp_path / name / "vision" / "own.toml"
        cards.append(parse_card(place.rename(place.with_name(f"{name}.toml"))))
    gate = Gate()
    served.faults["/held.txt"] = [gate]
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(prepare, cards[0], "train")
        assert gate.reached.wait(PATIENCE)
        assert bytes(prepare(cards[1], "train").raw(0)["word"]) == b"free"
        assert not held.done()
        gate.opened.set()
        assert bytes(held.result(PATIENCE).raw(0)["word"]) == b"held"


@pytest.mark.parametrize("name", ["/small", "/large"])
def test_threads_ask_for_each_byte_once(served: FileServer, name: str) -> None:
    size = len(FILES[name])
    policy = Policy(30.0, 30.0, **RANGES)
    start = threading.Barrier(16)

    def ask(_: int) -> str:
        start.wait()
        return str(fetch(served.url + name, digest=digest(name), size=size, policy=policy))

    with ThreadPoolExecutor(16) as pool:
        all_right(list(pool.map(ask, range(16))), name)
    assert_partition(spans(served, name), 0, size)


def test_one_that_is_stopped_is_waited_for(served: FileServer) -> None:
    """It may go on any time: nobody may take its file away, and everybody says what he waits for.

    A deadline ends the wait.
    """
    gate = Gate(after=len(HUGE) - 1000)
    served.faults["/huge"] = [gate]
    with askers(3) as (stopped, patient, hurried):
        stopped.ask(served.url + "/huge", {"jobs": 1}, digest=digest("/huge"))
        until(lambda: _held() > len(HUGE) // 4, "a good part of the file")
        stopped.signal(signal.SIGSTOP)
        gate.opened.set()
        patient.ask(served.url + "/huge", {"jobs": 1}, digest=digest("/huge"))
        patient.says("waiting")
        hurried.ask(served.url + "/huge", {"jobs": 1, "deadline": 0.2}, digest=digest("/huge"))
        assert "FetchError" in hurried.says("another process has been at it")
        assert hurried.process.wait(PATIENCE) == 1
        assert patient.paths.empty() and served.count("/huge") == 1
        stopped.signal(signal.SIGCONT)
        all_right([stopped.path(), patient.path()], "/huge")
    assert served.requests == [("GET", "/huge", None)]


def test_a_killed_one_that_waits_is_not_missed(served: FileServer) -> None:
    gate = Gate()
    served.faults["/small"] = [gate]
    with askers(3) as (one, killed, other):
        one.ask(served.url + "/small")
        assert gate.reached.wait(PATIENCE)
        for waiting in (killed, other):
            waiting.ask(served.url + "/small")
            waiting.says("waiting")
        killed.signal(signal.SIGKILL)
        killed.process.wait(PATIENCE)
        gate.opened.set()
        all_right([one.path(), other.path()], "/small")
    assert served.count("/small") == 1


def test_when_one_gives_up_the_next_tries_for_itself(served: FileServer) -> None:
    """An error of one is not the error of those who wait: the server may have come to itself."""
    gate = Gate()

    def fail(handler: Handler) -> None:
        gate.reached.set()
        gate.opened.wait(PATIENCE)
        handler.reply(404)

    served.faults["/small"] = [fail]
    with askers(1) as (waiting,), ThreadPoolExecutor(1) as pool:
        first = pool.submit(fetch, served.url + "/small")
        assert gate.reached.wait(PATIENCE)
        waiting.ask(served.url + "/small")
        waiting.says("waiting")
        gate.opened.set()
        with pytest.raises(FetchError, match="404"):
            first.result(PATIENCE)
        all_right([waiting.path()], "/small")
    assert served.count("/small") == 2
    assert os.listdir(cache.home() / "partial") == []
