"""Whatever happens on the way: the right file or an error, and no byte fetched twice in vain.

Random sizes, pieces and connections; several runs, each with its own random faults, where a run may
end with an error and the next one goes on from what it left.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from support import faults
from support.cache_folder import look
from support.server import Fault, FileServer

from domainkit import cache
from domainkit.cache import Policy, fetch
from domainkit.errors import FetchError

_DATA = random.Random(8).randbytes(1 << 20)
_numbers = count()


@dataclass(frozen=True)
class Wanted:
    """How a file is asked for.

    Attributes:
        versions: bytes in each version of it; the server begins with the first.
        known, promised: its size and its digest are known, those of the last version.
        addresses: how many it has; they are the same to the server.
        tries: at one address, in all.
    """

    versions: tuple[int, ...]
    jobs: int
    piece: int
    large: int
    known: bool
    promised: bool
    addresses: int = 1
    tries: int = 20

    def data(self, version: int) -> bytes:
        start = 7 * version + 1  # so that no byte is where it was
        return _DATA[start : start + self.versions[version]]

    @property
    def facts(self) -> dict[str, Any]:
        last = self.data(len(self.versions) - 1)
        sha = "sha256:" + hashlib.sha256(last).hexdigest()
        return {
            **({"size": len(last)} if self.known else {}),
            **({"digest": sha} if self.promised else {}),
        }

    def policy(self, attempts: int) -> Policy:
        return Policy(
            10.0,
            10.0,
            attempts=attempts,
            attempts_in_all=self.tries,
            jobs=self.jobs,
            piece=self.piece,
            enough=float("inf"),
            large=self.large,
            sleep=lambda seconds: None,
            jitter=lambda: 0.0,
        )


class Served:
    """The file on the server: its versions, how often it is cut, and what was asked."""

    def __init__(self, server: FileServer, wanted: Wanted) -> None:
        self.name = f"/{next(_numbers)}"
        self.server, self.wanted, self.version = server, wanted, 0
        self._put()

    def _put(self) -> None:
        new = self.server.folder / "new"
        new.write_bytes(self.wanted.data(self.version))
        then = 1_500_000_000 + self.version  # each version has an ETag and a date of its own
        os.utime(new, (then, then))
        os.replace(new, self.server.folder / self.name[1:])

    @property
    def data(self) -> bytes:
        return self.wanted.data(self.version)

    def change(self) -> None:
        if self.version + 1 < len(self.wanted.versions):
            self.version += 1
            self._put()

    def fault(self, words: tuple[Any, ...]) -> Fault:
        kind, *numbers = words
        if kind == "change":
            return faults.first(self.change)
        if kind == "change and cut":
            return faults.first(self.change, faults.cut_after(*numbers))
        return getattr(faults, kind)(*numbers)  # type: ignore[no-any-return]

    def run(self, words: list[tuple[Any, ...]], attempts: int) -> Path | None:
        """One run of a program that fetches, with these faults; None where it ends in an error."""
        self.server.faults[self.name] = [self.fault(one) for one in words]
        url = self.server.url + self.name
        urls = [url, *(f"{url}?{i}" for i in range(1, self.wanted.addresses))]
        try:
            return fetch(urls, policy=self.wanted.policy(attempts), **self.wanted.facts)
        except FetchError:
            return None

    def ranges(self) -> list[str | None]:
        return [request.range for request in self.server.requests if request.path == self.name]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    folder = tmp_path_factory.mktemp("served")
    with FileServer(folder) as running:
        yield running


@contextmanager
def empty_cache(server: FileServer) -> Iterator[Path]:
    """A cache folder for one example; the proxies of this machine stay out of it."""
    home = server.folder.parent / f"home{next(_numbers)}"
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    with mock.patch.dict(os.environ, {"DOMAINKIT_HOME": str(home)}):
        for name in proxies:
            os.environ.pop(name, None)
            os.environ.pop(name.upper(), None)
        yield home
    shutil.rmtree(home, ignore_errors=True)


sizes = st.one_of(st.integers(1, 300), st.integers(1, 300_000))


@st.composite
def files(draw: st.DrawFn, versions: int = 1) -> Wanted:
    sizes_drawn = tuple(draw(sizes) for _ in range(draw(st.integers(1, versions))))
    if draw(st.booleans()):  # other bytes, and as many of them
        sizes_drawn = sizes_drawn[-1:] * len(sizes_drawn)
    piece = draw(st.integers(max(1, max(sizes_drawn) // 40), 100_000))
    return Wanted(
        versions=sizes_drawn,
        jobs=draw(st.integers(1, 4)),
        piece=piece,
        large=draw(st.integers(1, 200_000)),
        known=draw(st.booleans()),
        promised=draw(st.booleans()),
        addresses=draw(st.integers(1, 2)) if versions > 1 else 1,
        tries=draw(st.sampled_from([3, 20])) if versions > 1 else 20,
    )


cuts = st.one_of(
    st.tuples(st.just("cut_after"), st.integers(0, 100_000)),
    st.tuples(st.just("cut_after"), st.integers(0, 100)),
)
pauses = st.sampled_from([("drop",), ("status", 503, 1), ("status", 500)])
# what a server does that can be gone on with
interruptions = st.lists(st.one_of(cuts, pauses), max_size=8)
tricks = st.one_of(
    st.sampled_from([("ignore_range",), ("wrong_range",), ("other_tag",), ("status", 416)]),
    st.sampled_from([("change",), ("chunked",), ("closing_quietly",), ("old_http",)]),
    st.tuples(st.just("change and cut"), st.integers(0, 50_000)),
    st.tuples(st.just("chunked"), st.integers(0, 100_000)),
    st.tuples(st.just("old_http"), st.integers(0, 100_000)),
)
misdeeds = st.lists(st.one_of(cuts, pauses, tricks), max_size=8)
attempts = st.integers(1, 4)


@example(
    # a helper meets a file that begins again while the first connection gives up
    wanted=Wanted((2,), jobs=2, piece=1, large=1, known=False, promised=False),
    runs=[([("cut_after", 0), ("ignore_range",)], 1)],
)
@settings(max_examples=150)
@given(files(versions=3), st.lists(st.tuples(misdeeds, attempts), max_size=4))
def test_the_right_file_or_an_error(
    server: FileServer, wanted: Wanted, runs: list[tuple[list[tuple[Any, ...]], int]]
) -> None:
    with empty_cache(server) as home:
        served = Served(server, wanted)
        path = None
        for words, tries in runs:
            path = served.run(words, tries)
            if path is not None:
                break
            assert list(cache.entries()) == []
        event("fetched among faults" if path is not None else "fetched at last")
        while path is None and served.version + 1 < len(wanted.versions):
            served.change()
        if path is None:  # nothing is in the way any more
            path = served.run([], 4)
        assert path is not None
        if wanted.promised:
            assert path.read_bytes() == wanted.data(len(wanted.versions) - 1)
        else:
            assert path.read_bytes() == served.data
        assert look(home).partial == ()


@settings(max_examples=150)
@given(files(), st.lists(st.tuples(interruptions, attempts), max_size=5))
def test_no_byte_is_fetched_twice(
    server: FileServer, wanted: Wanted, runs: list[tuple[list[tuple[Any, ...]], int]]
) -> None:
    """Where the server can be gone on with, what came once is kept: over attempts and over runs.

    What may be sent more than once: with several connections and the size unknown, the first answer
    is one to a request for the whole file, and is left when the others have taken the rest.
    """
    with empty_cache(server) as home:
        served = Served(server, wanted)
        for words, tries in [*runs, ([], 4)]:
            path = served.run(words, tries)
            if path is not None:
                break
        assert path is not None and path.read_bytes() == served.data
        size, sent = len(served.data), server.sent[served.name]
        several = wanted.jobs > 1 and size >= wanted.large
        wholes = sum(one in (None, "bytes=0-") for one in served.ranges())
        event("several connections" if several else "one connection")
        if several and not wanted.known:
            assert size <= sent <= size * (1 + wholes)
        else:
            assert sent == size
        assert look(home).partial == ()


@given(st.integers(1, 300_000), st.data())
def test_cut_anywhere_each_request_begins_where_the_last_one_ended(
    server: FileServer, size: int, data: st.DataObject
) -> None:
    points = sorted(data.draw(st.sets(st.integers(1, size), max_size=8)) - {size})
    lengths = [b - a for a, b in zip([0, *points], [*points, size], strict=True)]
    with empty_cache(server):
        wanted = Wanted((size,), 1, 1 << 20, 1 << 20, data.draw(st.booleans()), False)
        served = Served(server, wanted)
        words = [("cut_after", length) for length in lengths[:-1]]
        if data.draw(st.booleans()):  # each cut ends a run
            for one in words:
                assert served.run([one], 1) is None
            path = served.run([], 1)
        else:
            path = served.run(words, 2)
        assert path is not None and path.read_bytes() == served.data
        assert served.ranges() == [None, *(f"bytes={point}-" for point in points)]
        assert server.sent[served.name] == size


def test_the_faults_are_met(server: FileServer) -> None:
    """The examples above mean something: a fault of each kind changes what is asked for."""
    for words in (("cut_after", 10_000), ("drop",), ("status", 503, 1), ("wrong_range",)):
        with empty_cache(server):
            served = Served(server, Wanted((50_000,), 1, 1 << 20, 1 << 20, True, True))
            first: tuple[Any, ...] = ("cut_after", 20_000)
            assert served.run([first, words], 4) is not None
            assert len(served.ranges()) == 3, words
