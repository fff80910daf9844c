"""A small private dataset on a server of this machine."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.server import FileServer

ROWS = {"train": 600, "test": 40}
PIXELS = 4

CARD = """
name = "vision/small"
task = "image-classification"
summary = "Pictures of four by four pixels, made for a test."
homepage = "https://example.org/small"
license = "MIT"
citation = "Nobody. Small pictures. 2020."
base = "https://example.org/small"

[files.train-images]
url = "train-images.gz"
sha256 = "{digests[train-images]}"

# no digest: trusted on first use
[files.train-labels]
url = "train-labels.gz"

[files.test-images]
url = "test-images.gz"
sha256 = "{digests[test-images]}"

[files.test-labels]
url = "test-labels.gz"
sha256 = "{digests[test-labels]}"

[features]
image = {{ type = "Image", mode = "L", shape = [1, 4, 4] }}
label = {{ type = "Label", names = ["dark", "light"] }}

[splits.train]
rows = {rows[train]}
reader = "idx"
files = {{ images = "train-images", labels = "train-labels" }}

[splits.test]
rows = {rows[test]}
reader = "idx"
files = {{ images = "test-images", labels = "test-labels" }}
"""


@dataclass(frozen=True)
class Small:
    """``vision/small``: its server, the environment that leads there, the cache it goes to."""

    server: FileServer
    env: dict[str, str]
    home: Path

    def gets(self) -> list[str]:
        """The names of the files that were asked for, in order of arrival."""
        return [r.path.rsplit("/", 1)[-1] for r in self.server.requests if r.method == "GET"]


@pytest.fixture
def small(tmp_path: Path, fresh_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    root = tmp_path / "root"
    place = root / "example.org" / "small"
    place.mkdir(parents=True)
    rng = np.random.default_rng(0)
    digests = {}
    for split, rows in ROWS.items():
        images = rng.integers(0, 256, (rows, PIXELS, PIXELS), dtype=np.uint8)
        labels = (images.mean((1, 2)) > 128).astype(np.uint8)
        for key, array, magic in (("images", images, 2051), ("labels", labels, 2049)):
            head = struct.pack(f">{1 + array.ndim}I", magic, *array.shape)
            data = gzip.compress(head + array.tobytes())
            (place / f"{split}-{key}.gz").write_bytes(data)
            digests[f"{split}-{key}"] = hashlib.sha256(data).hexdigest()
    card = tmp_path / "cards" / "vision" / "small.toml"
    card.parent.mkdir(parents=True)
    card.write_text(CARD.format(digests=digests, rows=ROWS), encoding="utf-8")
    with FileServer(root) as server:
        env = {"DOMAINKIT_CARDS": str(tmp_path / "cards"), "DOMAINKIT_MIRROR": server.url}
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        yield Small(server, {**env, "DOMAINKIT_HOME": str(fresh_home)}, fresh_home)
