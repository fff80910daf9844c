"""What every test gets: a cache of its own, no network, and the random state put back.

The cache folder is made before anything is collected, so that doctests use it too. It lasts for the
session: an embedded dataset is prepared once. A test that needs an empty one asks for
``fresh_home``.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

HOME = "DOMAINKIT_HOME"
OTHERS = (
    *("DOMAINKIT_CARDS", "DOMAINKIT_MIRROR", "DOMAINKIT_OFFLINE", "DOMAINKIT_SHARED"),
    *("DOMAINKIT_JOBS", "DOMAINKIT_BANDWIDTH", "DOMAINKIT_DEADLINE", "RANK", "WORLD_SIZE"),
)

settings.register_profile(
    "domainkit",
    deadline=None,  # a busy machine is not a failure
    derandomize=True,  # the same examples in every run
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("domainkit")


def pytest_configure(config: pytest.Config) -> None:
    for name in OTHERS:
        os.environ.pop(name, None)
    if not hasattr(config, "workerinput"):  # pytest-xdist's workers share the first process's cache
        folder = tempfile.mkdtemp(prefix="domainkit-tests-")
        os.environ[HOME] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    # else it would leave a folder in the working tree
    set_hypothesis_home_dir(Path(os.environ[HOME]) / "hypothesis")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts with the session's cache and no other switch, whatever the last one did."""
    before = os.environ[HOME]
    for name in OTHERS:
        monkeypatch.delenv(name, raising=False)
    yield
    os.environ[HOME] = before


@pytest.fixture(autouse=True)
def _random_state() -> Iterator[None]:
    """A test may seed what it likes: the next one sees none of it."""
    state = torch.get_rng_state(), np.random.get_state(), random.getstate()
    yield
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])
    random.setstate(state[2])


class NetworkForbiddenError(ConnectionRefusedError):
    """A test tried to leave this machine; to the code under test the network is simply down."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def guarded(original: Any) -> Any:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family != getattr(socket, "AF_UNIX", None):
                _refuse(address[0])
            return original(self, address)

        return connect

    real = socket.create_connection

    def create_connection(address: Any, *args: Any, **kwargs: Any) -> socket.socket:
        _refuse(address[0])  # before the name is looked up, which is network too
        return real(address, *args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", create_connection)
    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))


def _refuse(host: str) -> None:
    if host not in ("127.0.0.1", "localhost", "::1"):
        raise NetworkForbiddenError(f"a test may only talk to 127.0.0.1, not to {host!r}")


@pytest.fixture
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, for this test alone."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv(HOME, str(folder))
    return folder
