"""A server with one file, an empty cache, and a policy under which nobody sleeps."""

from __future__ import annotations

import pytest
from support.cached import DATA, NAME
from support.server import FileServer

from domainkit.cache import Policy


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for key in ("DOMAINKIT_OFFLINE", "DOMAINKIT_MIRROR", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(key, raising=False)
    for key in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(key, raising=False)
        monkeypatch.delenv(key.upper(), raising=False)
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "served" / NAME.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    return tmp_path / "served"


@pytest.fixture
def server(folder):
    with FileServer(folder) as running:
        yield running


@pytest.fixture
def waits():
    return []


@pytest.fixture
def policy(waits):
    return Policy(5, 5, sleep=waits.append, jitter=lambda: 1.0, clock=lambda: 1_000_000.0)
