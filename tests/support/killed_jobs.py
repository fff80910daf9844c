"""What the processes do that are killed: fetch and prepare a small dataset, or look after a cache.

The dataset has a large file with a sha256 (fetched in parallel ranges), the same content once more
by its md5, and a small file without a digest; a file without a digest that is fetched for itself is
large and changes now and then.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from support.own_card import write_card

from domainkit import cache, progress
from domainkit.cards import load_card
from domainkit.cli.main import main
from domainkit.prepare import fetch_files, prepare
from domainkit.store import Store

__all__ = [
    "BLOCKS",
    "LABELS",
    "LOOSE",
    "POLICY",
    "bring",
    "command",
    "read_rows",
    "serve",
    "true_rows",
    "write_own_card",
]

ROWS, WIDTH = 600, 1024
STRIDES = {"train": 1, "test": 3}
_draw = random.Random(3)
BLOCKS = _draw.randbytes(ROWS * WIDTH)
LABELS = bytes(_draw.randrange(10) for _ in range(ROWS))
LOOSE = [_draw.randbytes(300_000 + 1000 * i) for i in range(3)]
LOOSE[1] = LOOSE[1][: len(LOOSE[0])]  # another version of the same size
POLICY = {
    "jobs": 4,
    "piece": 64 << 10,
    "large": 256 << 10,
    "enough": float("inf"),
    "backoff": 0.0,
}


def read_rows(files: Mapping[str, Path], split: str, stride: int) -> Iterator[dict[str, Any]]:
    """The reader of the dataset: every ``stride``-th block and its label."""
    labels = files["labels"].read_bytes()
    with files["blocks"].open("rb") as file:
        for i in range(0, ROWS, stride):
            file.seek(i * WIDTH)
            block = np.frombuffer(file.read(WIDTH), np.uint8)
            yield {"image": block.reshape(1, 32, 32), "label": labels[i]}


def true_rows(split: str) -> list[tuple[bytes, int]]:
    """What the store of a split must hold, made without domainkit."""
    kept = range(0, ROWS, STRIDES[split])
    return [(BLOCKS[i * WIDTH : (i + 1) * WIDTH], LABELS[i]) for i in kept]


def serve(folder: Path) -> None:
    """Lays out what the server serves."""
    folder.mkdir()
    for name, data in (("blocks", BLOCKS), ("labels", LABELS), ("loose", LOOSE[0])):
        (folder / name).write_bytes(data)


def write_own_card(folder: Path, url: str) -> None:
    """The card, whose files come from ``url``."""
    blocks = {"url": f"{url}/blocks", "size": len(BLOCKS)}
    splits = {
        split: {
            "rows": len(true_rows(split)),
            "reader": "support.killed_jobs:read_rows",
            "stride": stride,
            "files": {"blocks": key, "labels": "labels"},
        }
        for (split, stride), key in zip(STRIDES.items(), ("sha256", "md5"), strict=True)
    }
    changes = {
        "files": {
            "sha256": {**blocks, "sha256": hashlib.sha256(BLOCKS).hexdigest()},
            "md5": {**blocks, "md5": hashlib.md5(BLOCKS).hexdigest()},
            "labels": {"url": f"{url}/labels"},
        },
        "features": {"image": {"type": "Image", "shape": [1, 32, 32]}, "label": {"type": "Int"}},
        "splits": splits,
    }
    write_card(folder, changes)


def bring(home: str, cards: str, url: str) -> None:
    """Fetches and prepares everything, and holds it to the truth."""
    os.environ["DOMAINKIT_HOME"], os.environ["DOMAINKIT_CARDS"] = home, cards
    policy = cache.Policy(10.0, 10.0, **POLICY)
    card = load_card("vision/own")
    for split in STRIDES:
        check_rows(prepare(card, split, policy=policy), split)
    # a split that is there asks for no file, and upkeep may have taken some
    fetch_files(card, {key: key for key in card.files}, policy=policy)
    loose = cache.fetch(f"{url}/loose", policy=policy).read_bytes()
    assert loose in LOOSE, "the file without a digest is a mix of versions"


def check_rows(store: Store, split: str) -> None:
    """Asserts that a store holds the rows of a split, each of them."""
    store.verify()
    rows = [store.raw(i) for i in range(len(store))]
    assert [(bytes(row["image"]), row["label"]) for row in rows] == true_rows(split)


def warm_up() -> None:
    """Does a little of everything that starts no thread, for what it imports."""
    import domainkit.cache.ranges
    import domainkit.cache.sources.http  # noqa: F401

    pyarrow.array([b"0"], pyarrow.binary(1))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        for arguments in (("ls",), ("verify",), ("prune", "--max-size", "1GB", "--yes")):
            command(f"{folder}/home", f"{folder}/cards", [0], "cache", *arguments)
    progress.enable(None)  # the command switches it on


def command(home: str, cards: str, codes: Sequence[int], *arguments: str) -> None:
    """``domainkit *arguments``, as from the command line; ends with one of these exit codes."""
    os.environ["DOMAINKIT_HOME"], os.environ["DOMAINKIT_CARDS"] = home, cards
    sys.argv = ["domainkit", *arguments]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    if code not in codes:
        raise RuntimeError(f"domainkit {' '.join(arguments)}: ended with {code}, expected {codes}")
