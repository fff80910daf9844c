"""The whole Fashion-MNIST, from a server on this machine to 70,000 prepared rows.

The files are those of Debian's package dataset-fashion-mnist: the publisher's content, compressed
again, so they have digests of their own, in a card that the test writes.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.fake_card import publish
from support.faults import hold_after
from support.server import FileServer

import domainkit as dk

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
FILES = {
    "train-images": "train-images-idx3-ubyte.gz",
    "train-labels": "train-labels-idx1-ubyte.gz",
    "test-images": "t10k-images-idx3-ubyte.gz",
    "test-labels": "t10k-labels-idx1-ubyte.gz",
}

pytestmark = pytest.mark.skipif(
    not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[FileServer, dict[str, str]]]:
    """A server with the four files, and the environment in which domainkit finds it."""
    files = {key: DEBIAN / name for key, name in FILES.items()}
    publish("vision/fashion-mnist", files, tmp_path / "cards", tmp_path / "root")
    with FileServer(tmp_path / "root") as server:
        yield (
            server,
            {
                **os.environ,
                "DOMAINKIT_CARDS": str(tmp_path / "cards"),
                "DOMAINKIT_MIRROR": server.url,
                "DOMAINKIT_HOME": str(tmp_path / "home"),
            },
        )


def download(env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "domainkit", "download", "vision/fashion-mnist"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def gets(server: FileServer) -> list[str]:
    return sorted(r[1].rsplit("/", 1)[-1] for r in server.requests if r[0] == "GET")


def test_four_processes_ask_for_each_file_once(served, monkeypatch: pytest.MonkeyPatch) -> None:
    server, env = served
    processes = [download(env) for _ in range(4)]
    for process in processes:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
        assert "60,000" in output and "10,000" in output
    assert gets(server) == sorted(FILES.values())

    for key in ("DOMAINKIT_CARDS", "DOMAINKIT_MIRROR", "DOMAINKIT_HOME"):
        monkeypatch.setenv(key, env[key])
    train = dk.load_dataset("vision/fashion-mnist", "train")
    test = dk.load_dataset("vision/fashion-mnist", "test")
    assert (len(train), len(test)) == (60_000, 10_000)
    assert gets(server) == sorted(FILES.values())  # opening fetched nothing
    with gzip.open(DEBIAN / FILES["train-images"]) as file:
        truth = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(DEBIAN / FILES["train-labels"]) as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    assert (train["label"] == labels).all()
    for i in [0, 511, 512, 31_415, 59_999]:
        assert (train[i]["image"].numpy() == truth[i]).all()
    whole = b"".join(bytes(train.raw(i)["image"]) for i in range(60_000))
    assert whole == truth.tobytes()


def test_killed_half_way_it_resumes(served) -> None:
    server, env = served
    images = next(p for p in server_paths(server) if "train-images" in p)
    half = (DEBIAN / FILES["train-images"]).stat().st_size // 2
    reached = threading.Event()  # set when half of the file has left the server
    server.faults[images] = [hold_after(half, reached)]
    process = download(env)
    assert reached.wait(timeout=120)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    home = Path(env["DOMAINKIT_HOME"])
    assert not list(home.glob("prepared/vision/fashion-mnist/*/store.json"))
    before = len(server.requests)
    again = download(env)
    output, _ = again.communicate(timeout=240)
    assert again.returncode == 0, output
    ranges = [r[2] for r in server.requests[before:] if r[1] == images and r[0] == "GET"]
    assert len(ranges) == 1 and ranges[0] is not None  # it went on, from where it was
    started = int(ranges[0].removeprefix("bytes=").split("-")[0])
    assert started > 0
    verified = subprocess.run(
        [sys.executable, "-m", "domainkit", "verify", "vision/fashion-mnist", "--json"],
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    json.loads(verified.stdout)


def server_paths(server: FileServer) -> list[str]:
    root = Path(server.folder)
    return ["/" + p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
