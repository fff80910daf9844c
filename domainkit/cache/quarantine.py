"""Damaged things are put aside, not deleted: somebody may want to know what happened to them.

    <home>/quarantine/<id>/<name>        the file or folder as it was found
    <home>/quarantine/<id>/why.json      where it lay, what was expected and what was found

``id`` is the sha256 that a file should have had; for a prepared split it is that of its place.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domainkit.cache.files import make_folder, read_json, sync_folder, write_json

__all__ = ["Quarantined", "put_aside", "quarantined"]

WHY = "why.json"


@dataclass(frozen=True)
class Quarantined:
    """Something damaged that was put aside: ``size`` in bytes, ``since`` in seconds since 1970."""

    folder: Path
    name: str
    size: int
    since: float
    why: dict[str, Any]

    def delete(self) -> None:
        """Deletes it for good, its reason last."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != WHY:
                path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def put_aside(base: Path, identity: str, damaged: Path, why: dict[str, Any]) -> Path:
    """Moves a damaged file or folder into the quarantine; its new place.

    The caller holds the lock under which it is written. Killed half-way it leaves the damaged thing
    where it was, and a note that speaks of nothing, which ``domainkit cache prune`` takes.
    """
    folder = base / "quarantine" / identity
    make_folder(folder)
    found = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    write_json(folder / WHY, {"place": str(damaged), "found": found, **why})
    target = folder / damaged.name
    if target.is_dir():  # the same thing was damaged once before
        shutil.rmtree(target)
    os.replace(damaged, target)
    sync_folder(folder)
    sync_folder(damaged.parent)
    return target


def quarantined(base: Path) -> Iterator[Quarantined]:
    """What was put aside, with its reason; notes of nothing have an empty name."""
    with suppress(OSError):
        for folder in sorted((base / "quarantine").iterdir()):
            files = [path for path in folder.rglob("*") if path.is_file()]
            names = sorted({path.relative_to(folder).parts[0] for path in files} - {WHY})
            yield Quarantined(
                folder=folder,
                name=names[0] if names else "",
                size=sum(path.stat().st_size for path in files),
                since=folder.stat().st_mtime,
                why=read_json(folder / WHY) or {},
            )
