"""Calls of libraries that do not come back, and those that do."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from domainkit import cache
from domainkit.cache import Policy
from domainkit.cache.sources.base import Retry
from domainkit.cache.sources.patience import Patience
from domainkit.errors import FetchError

fsspec = pytest.importorskip("fsspec")

from fsspec.implementations.memory import MemoryFileSystem  # noqa: E402


@pytest.fixture
def stuck():
    """A call that comes back when the test is over."""
    over = threading.Event()
    yield over.wait
    over.set()


def test_what_comes_back_is_handed_on():
    patience = Patience(60)
    assert patience.over(lambda: 7) == 7
    for error in (ValueError("x"), TimeoutError("its own"), KeyboardInterrupt()):

        def fail(error=error):
            raise error

        with pytest.raises(type(error)) as caught:
            patience.over(fail)
        assert caught.value is error


def test_what_does_not_is_left(stuck):
    with pytest.raises(Retry, match="sends nothing for 0 s"):
        Patience(60, lambda: 0.05).over(stuck)
    with pytest.raises(Retry):
        Patience(60, lambda: -1.0).over(stuck)
    Patience(60).part(stuck)


def test_without_a_limit_no_thread_is_made(monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", None)
    assert Patience().over(lambda: 7) == 7
    Patience().part(lambda: 7)


@pytest.mark.parametrize("step", ["open", "read", "close"])
def test_a_library_that_hangs_does_not_hold_a_fetch(step, stuck, monkeypatch, tmp_path):
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path))
    MemoryFileSystem.store.clear()
    fsspec.filesystem("memory").pipe("/bucket/a", b"1234567")
    if step == "open":
        monkeypatch.setattr(MemoryFileSystem, "_open", lambda *args, **more: stuck())
    else:
        from fsspec.implementations.memory import MemoryFile

        monkeypatch.setattr(MemoryFile, step, lambda *args, **more: stuck())
    policy = replace(Policy(), deadline=0.3)
    if step == "close":
        assert cache.fetch("memory://bucket/a").read_bytes() == b"1234567"
        return
    with pytest.raises(FetchError, match=r"the time of 0\.3 s .* has passed; 0 bytes came"):
        cache.fetch("memory://bucket/a", policy=policy)
