"""Damaged things are put aside, not deleted: somebody may want to know what happened to them.

    <home>/quarantine/<id>/<name>        the file or folder as it was found
    <home>/quarantine/<id>/why.json      where it lay, what was expected and what was found

``id`` is the sha256 that a file should have had; for a prepared split it is that of its place.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domainkit.cache.files import (
    UNFINISHED,
    make_folder,
    read_json,
    sync_folder,
    write_json,
)

__all__ = ["WHY", "Quarantined", "put_aside", "quarantined"]

WHY = "why.json"
_IDENTITY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Quarantined:
    """Something damaged that was put aside: ``size`` in bytes, ``since`` in seconds since 1970."""

    folder: Path
    name: str
    size: int
    since: float
    why: dict[str, Any]

    @property
    def lock(self) -> str:
        """Held while something is put into its folder, or the folder is taken away."""
        return _lock_of(self.folder.name)

    def take(self) -> bool:
        """Deletes it; False where something is being put there."""
        from domainkit.cache.upkeep import hold_unused

        with hold_unused([self.lock]) as free:
            if free:
                self.delete()
            return free

    def clear_note(self) -> bool:
        """Deletes the folder if it holds no more than a reason; the caller holds its lock."""
        if _names(self.folder):
            return False
        shutil.rmtree(self.folder)
        return True

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

    The caller holds the lock under which it is written; that of its place in the quarantine is
    taken here, and held by prune too. Killed half-way it leaves the damaged thing where it was, and
    a note that speaks of nothing, which ``domainkit cache prune`` takes.

    Args:
        identity: 64 hexadecimal digits.
    """
    from domainkit.cache import lock

    folder = base / "quarantine" / identity
    with lock(_lock_of(identity), shown_as=damaged.name):
        make_folder(folder)
        found = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        write_json(folder / WHY, {"place": str(damaged), "found": found, **why})
        # nothing is called as the reason is
        target = folder / (damaged.name if damaged.name != WHY else f"damaged-{WHY}")
        if target.is_dir():  # the same thing was damaged once before
            shutil.rmtree(target)
        os.replace(damaged, target)
        sync_folder(folder)
        sync_folder(damaged.parent)
    return target


def quarantined(base: Path) -> Iterator[Quarantined]:
    """What was put aside, with its reason; notes of nothing have an empty name."""
    try:
        folders = sorted((base / "quarantine").iterdir())
    except OSError:
        return
    for folder in folders:
        # what has another name was put there by somebody else
        if not _IDENTITY.fullmatch(folder.name) or not folder.is_dir():
            continue
        try:
            names = _names(folder)
            put = Quarantined(
                folder=folder,
                name=names[0] if names else "",
                size=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
                since=folder.stat().st_mtime,
                why=read_json(folder / WHY) or {},
            )
        except OSError:  # it is being taken away
            continue
        yield put


def _lock_of(identity: str) -> str:
    return f"quarantine-{identity}"


def _names(folder: Path) -> list[str]:
    """What was put aside there: all with bytes but the reason, whole or half written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    notes = {WHY, *(path.name for path in folder.glob(f"{WHY}.*{UNFINISHED}"))}
    return sorted({path.relative_to(folder).parts[0] for path in files} - notes)
