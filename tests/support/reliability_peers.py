"""The downloaders that ``tests/benchmarks/reliability.py`` compares, each as its users call it."""

from __future__ import annotations

import hashlib
import importlib
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

__all__ = ["PEERS", "Peer"]

PLACE = "/owner/set/resolve/main/data.bin"


@lru_cache(maxsize=2)
def digest(algorithm: str) -> str:
    """Of the file that the benchmark serves."""
    return hashlib.new(algorithm, random.Random(0).randbytes(24_000_000)).hexdigest()


@dataclass(frozen=True)
class Peer:
    """One way to call one library.

    Attributes:
        name: the column's heading.
        package: what is imported.
        fetch: (address, folder) -> the file's path.
        digest: whether it is given one.
        looks_first: requests that it sends before the one whose body it reads.
        imports: what it imports late, and is to have ready.
        environment: its switches.
    """

    name: str
    package: str
    fetch: Callable[[str, Path], Path]
    digest: bool
    looks_first: int = 0
    imports: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str | None:
        """What is installed of it; None where nothing is."""
        try:
            return str(importlib.import_module(self.package).__version__)
        except ImportError:
            return None

    def prepare(self) -> None:
        for name in self.imports:
            importlib.import_module(name)
        digest("md5")
        digest("sha256")


def domainkit(url: str, folder: Path, promised: bool, parallel: bool = False) -> Path:
    from domainkit.cache import Policy, fetch

    policy = Policy(large=1 << 20, piece=1 << 20, enough=float("inf")) if parallel else Policy()
    promise = f"sha256:{digest('sha256')}" if promised else None
    return fetch(url, digest=promise, progress=False, policy=policy)


def torchvision(url: str, folder: Path, promised: bool) -> Path:
    from torchvision.datasets.utils import download_url

    download_url(url, folder, "data.bin", md5=digest("md5") if promised else None)
    return folder / "data.bin"


def torch_hub(url: str, folder: Path, promised: bool) -> Path:
    """As ``load_state_dict_from_url`` does: what is there is taken as it is."""
    from torch.hub import download_url_to_file

    path = folder / "data.bin"
    if not path.exists():
        prefix = digest("sha256")[:8] if promised else None
        download_url_to_file(url, str(path), prefix, progress=False)
    return path


def pooch(url: str, folder: Path, promised: bool) -> Path:
    from pooch import retrieve

    known = f"sha256:{digest('sha256')}" if promised else None
    return Path(retrieve(url, known, fname="data.bin", path=os.fspath(folder)))


def hugging_face(url: str, folder: Path) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(
        hf_hub_download(
            "owner/set", "data.bin", endpoint=url.removesuffix(PLACE), cache_dir=folder, token=False
        )
    )


_OURS = ("domainkit.cache.sources.http", "domainkit.cache.ranges", "filelock", "httpx")
_VISION = ("torchvision.datasets.utils",)
_HUB = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

PEERS = [
    Peer("domainkit, digest", "domainkit", lambda u, f: domainkit(u, f, True), True, 0, _OURS),
    Peer(
        "domainkit, digest, 4 connections",
        "domainkit",
        lambda u, f: domainkit(u, f, True, parallel=True),
        *(True, 0, _OURS),
    ),
    Peer(
        "torchvision, md5",
        "torchvision",
        lambda u, f: torchvision(u, f, True),
        *(True, 1, _VISION),
    ),
    Peer("torch.hub, hash_prefix", "torch", lambda u, f: torch_hub(u, f, True), True, 0,
         ("torch.hub",)),
    Peer("pooch, known_hash", "pooch", lambda u, f: pooch(u, f, True), True, 0,
         ("pooch", "requests")),
    Peer("domainkit", "domainkit", lambda u, f: domainkit(u, f, False), False, 0, _OURS),
    Peer("torchvision", "torchvision", lambda u, f: torchvision(u, f, False), False, 1, _VISION),
    Peer("torch.hub", "torch", lambda u, f: torch_hub(u, f, False), False, 0, ("torch.hub",)),
    Peer("pooch", "pooch", lambda u, f: pooch(u, f, False), False, 0, ("pooch", "requests")),
    Peer("huggingface_hub", "huggingface_hub", hugging_face, False, 0,
         ("huggingface_hub.file_download",), _HUB),
]  # fmt: skip
