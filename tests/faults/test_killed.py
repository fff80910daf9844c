"""Killed at any moment, the cache stays usable and true.

Processes that fetch, prepare and look after a cache get SIGKILL: at random moments, a few of them
in the same folder one after another, and before each of their changes on disk. After each kill a
look is taken at the folder from another process: whatever has its final name holds the right bytes,
every store that opens holds the right rows, and no lock is held. Then the same work is done again
and must come to its end.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import faults
from support.killable import End, Killable
from support.killed_jobs import BLOCKS, LABELS, LOOSE, check_rows, serve, write_own_card
from support.server import FileServer

from domainkit import cache
from domainkit.errors import DigestError, DomainkitError, StoreError
from domainkit.store import Store

fcntl = pytest.importorskip("fcntl")
pytestmark = pytest.mark.skipif(
    not (hasattr(signal, "SIGKILL") and os.path.isdir("/proc/self/task")), reason="Linux alone"
)

SEED = 20_000
KILLS = 200
UPKEEP_KILLS = 20
CONTENTS = {"blocks": [BLOCKS], "labels": [LABELS], "loose": LOOSE}
SPLITS = ("train", "test")
STATES = {
    *("nothing yet", "blocks on their way", "fetched, not prepared", "half-made store"),
    *("loose on its way", "all is there"),
}


class Stage:
    """A cache folder after another, the server, and the processes that are killed there."""

    def __init__(self, folder: Path, server: FileServer, killable: Killable) -> None:
        self.folder, self.server, self.killable = folder, server, killable
        self.home = folder
        self.what = "nothing killed yet"
        self.damaged: set[Path] = set()
        self._count = 0

    def new_home(self, copy_of: Path | None = None) -> None:
        if self._count:
            shutil.rmtree(self.home, ignore_errors=True)
        self._count += 1
        self.home = self.folder / f"home{self._count}"
        if copy_of is not None:
            shutil.copytree(copy_of, self.home)
        os.environ["DOMAINKIT_HOME"] = str(self.home)
        self.damaged.clear()

    def bring(self, after: float | None = None, step: int | None = None) -> End:
        """Fetches and prepares everything in a process that may be killed."""
        return self._run("bring", self.server.url, after=after, step=step)

    def command(self, verb: str, after: float | None = None, step: int | None = None) -> End:
        """Looks after the cache from the command line, in a process that may be killed."""
        codes = [0, 1] if verb == "verify" else [0]  # 1: something is damaged
        return self._run("command", codes, *UPKEEP[verb], after=after, step=step)

    def _run(self, job: str, *args: Any, after: float | None, step: int | None) -> End:
        arguments = (str(self.home), str(self.folder / "cards"), *args)
        job = f"support.killed_jobs:{job}"
        end = self.killable.run(job, *arguments, after=after, step=step, watched=self.home)
        assert end.killed or end.good, self.report(end)
        return end

    def report(self, end: End) -> str:
        """Everything that helps to do it again."""
        lines = [f"seed {SEED}, {self.what}", f"{end}", f"{self.home}:"]
        for path in sorted(self.home.rglob("*")):
            if path.is_file():
                lines.append(f"  {path.stat().st_size:9,}  {path.relative_to(self.home)}")
        return "\n".join(lines)

    def replace_loose(self, data: bytes) -> None:
        """The file without a digest is another one from now on."""
        new = self.server.folder / "new"
        new.write_bytes(data)
        os.replace(new, self.server.folder / "loose")

    def damage(self, name: str) -> Path:
        """Flips one bit of a file, as a bad disk does."""
        (path,) = {entry.path for entry in cache.entries() if entry.path.name == name}
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        self.damaged.add(path)
        return path

    def check(self) -> None:
        """Asserts that all that counts is true, and that nobody is in the way."""
        for path in self._files("files"):
            if path not in self.damaged:
                data = path.read_bytes()
                assert hashlib.sha256(data).hexdigest() == path.parent.name, path
                assert any(data in known for known in CONTENTS.values()), path
        for entry in cache.entries():
            try:
                cache.verify(entry.path)
            except DigestError:
                assert entry.path in self.damaged
                continue
            known = CONTENTS[entry.urls[0].rpartition("/")[2]]
            assert entry.path.read_bytes() in known, entry
        for place in self._stores():
            try:
                store = Store(place)
            except StoreError:
                assert place.name.startswith("."), f"{place} has its name and is not whole"
                continue
            check_rows(store, place.name.removeprefix(".").partition("-")[0])
        for path in self._files("locks"):
            with path.open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def check_done(self) -> None:
        """Asserts that everything is there, and nothing half-done of it."""
        self.check()
        names = {entry.path.name for entry in cache.entries()}
        assert names == set(CONTENTS), names
        stores = sorted(place.name.partition("-")[0] for place in self._stores())
        assert stores == sorted(SPLITS)
        assert [path for path in self._files("partial") if path.suffix == ".part"] == []

    def state(self) -> str:
        """What a kill left, in words."""
        blobs = {path.name for path in self._files("files")}
        stores = {place.name.partition("-")[0] for place in self._stores()}
        half = any(name.startswith(".") for name in stores)
        partial = [path for path in self._files("partial") if path.suffix == ".part"]
        sizes = [path.stat().st_size for path in partial]
        if "loose" in blobs:
            return "all is there"
        if stores == set(SPLITS):
            return "loose on its way" if any(sizes) else "prepared, loose not begun"
        if half:
            return "half-made store"
        if "train" in stores:
            return "one split of two"
        if "blocks" in blobs:
            return "fetched, not prepared"
        return "blocks on their way" if any(sizes) else "nothing yet"

    def _files(self, room: str) -> Iterator[Path]:
        return (path for path in sorted((self.home / room).rglob("*")) if path.is_file())

    def _stores(self) -> Iterator[Path]:
        return (path for path in (self.home / "prepared").glob("vision/own/*") if path.is_dir())


@pytest.fixture(scope="module")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killable]:
    import certifi

    # one authority in place of all: they take longer to load than everything else here
    first, end, _ = Path(certifi.where()).read_text(encoding="ascii").partition("-----END ")
    authority = tmp_path_factory.mktemp("authority") / "one.pem"
    authority.write_text(first + end + "CERTIFICATE-----\n", encoding="ascii")
    with Killable("support.killed_jobs:warm_up", {"SSL_CERT_FILE": str(authority)}) as running:
        yield running


@pytest.fixture
def stage(tmp_path: Path, killable: Killable) -> Iterator[Stage]:
    serve(tmp_path / "served")
    with FileServer(tmp_path / "served") as server:
        write_own_card(tmp_path / "cards", server.url)
        for name in ("/blocks", "/loose"):
            server.always[name] = faults.trickle(16 << 10, 0.002)
        made = Stage(tmp_path, server, killable)
        made.new_home()
        yield made


def proven(stage: Stage, end: End, what: str, done: bool = False) -> None:
    """Checks, and tells on failure how to come there again."""
    stage.what = what
    try:
        stage.check_done() if done else stage.check()
    except (AssertionError, DomainkitError, OSError) as error:
        held = isinstance(error, OSError) and error.errno in (errno.EAGAIN, errno.EACCES)
        why = "a lock is still held: " if held else ""
        raise AssertionError(f"{why}{error}\n{stage.report(end)}") from error


def test_killed_at_random_moments(stage: Stage) -> None:
    """A busy machine may spread the moments badly: what they missed is aimed at by random steps."""
    draw = random.Random(SEED)
    stage.bring()  # the first one reads programs from disk
    stage.new_home()
    first = stage.bring()
    proven(stage, stage.bring(), "not killed", done=True)
    killed, states = 0, Counter[str]()
    while killed < KILLS or (STATES - (+states).keys() and killed < 2 * KILLS):
        stage.new_home()
        for _ in range(draw.randint(1, 6)):  # half-done states pile up
            if killed < KILLS:
                delay = draw.uniform(0.0, first.seconds)
                end, when = stage.bring(after=delay), f"after {delay:.4f} s"
            else:
                step = draw.randint(1, first.steps)
                end, when = stage.bring(step=step), f"before step {step}"
            what = f"kill {killed} {when}"
            killed += end.killed
            states[stage.state()] += end.killed
            proven(stage, end, what, done=not end.killed)
            if draw.random() < 0.3:
                stage.replace_loose(draw.choice(LOOSE))
        proven(stage, stage.bring(), f"done after {what}", done=True)
    assert states.total() == killed >= KILLS
    missed = STATES - (+states).keys()
    assert not missed, f"no kill found {missed}: {states}"


def test_killed_before_every_step_of_a_fetch_and_prepare(stage: Stage) -> None:
    stage.server.always.clear()
    steps = stage.bring().steps
    assert steps > 50
    seen, states = Counter[str](), Counter[str]()
    for step in range(1, steps + 1):
        stage.new_home()
        end = stage.bring(step=step)
        if not end.killed:  # threads took fewer steps this time
            continue
        seen[end.last.partition(" ")[0]] += 1
        states[stage.state()] += 1
        proven(stage, end, f"step {step}, {end.last}")
        proven(stage, stage.bring(), f"done after step {step}, {end.last}", done=True)
    assert {"os.rename", "os.remove", "os.mkdir", "open"} <= seen.keys()
    assert len(states) >= 7, states


UPKEEP = {
    "rm": ("cache", "rm", "vision/own", "--yes"),
    "prune": ("cache", "prune", "--max-size", "1MB", "--yes"),
    "verify": ("cache", "verify"),
}
DAMAGED = ("blocks", "labels")


@pytest.fixture
def whole(stage: Stage) -> Path:
    """A cache in which everything is there, to be copied."""
    stage.server.always.clear()
    assert stage.bring().good
    stage.check_done()
    kept = stage.folder / "whole"
    shutil.copytree(stage.home, kept)
    return kept


def begin(stage: Stage, whole: Path, verb: str) -> None:
    """Everything is there, and for ``verify`` two files are damaged."""
    stage.new_home(whole)
    if verb == "verify":
        for name in DAMAGED:
            stage.damage(name)


def come_to_an_end(stage: Stage, end: End, verb: str, what: str, fill: bool = True) -> None:
    """What was killed is done again; then the cache is filled again."""
    proven(stage, end, what)
    again = stage.command(verb)
    stage.damaged.clear()
    proven(stage, again, f"again after {what}")
    if fill:
        proven(stage, stage.bring(), f"done after {what}", done=True)


@pytest.mark.parametrize("verb", UPKEEP)
def test_killed_before_every_step_of_upkeep(stage: Stage, whole: Path, verb: str) -> None:
    begin(stage, whole, verb)
    steps = stage.command(verb).steps
    assert steps >= 5
    for step in range(1, steps + 1):
        begin(stage, whole, verb)
        end = stage.command(verb, step=step)
        what = f"{verb}, step {step}, {end.last}"
        assert end.killed, what
        come_to_an_end(stage, end, verb, what, fill=step % 3 == 0)


def test_upkeep_killed_at_random_moments(stage: Stage, whole: Path) -> None:
    draw, killed = random.Random(SEED), Counter[str]()
    seconds = {}
    for verb in UPKEEP:
        begin(stage, whole, verb)
        seconds[verb] = stage.command(verb).seconds
    while killed.total() < UPKEEP_KILLS:
        verb = draw.choice(list(UPKEEP))
        begin(stage, whole, verb)
        delay = draw.uniform(0.0, seconds[verb])
        end = stage.command(verb, after=delay)
        killed[verb] += end.killed
        come_to_an_end(stage, end, verb, f"{verb}, kill {killed.total()} after {delay:.4f} s")
    assert killed.keys() == UPKEEP.keys()
