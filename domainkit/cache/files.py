"""Small files and folders that survive a kill, a power cut and a second writer."""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["UNFINISHED", "make_folder", "read_json", "sync_folder", "write_json"]

UNFINISHED = ".new"  # how the names of half-written small files end; prune takes old ones

_REFUSALS = 1000  # in a row, of a folder that is there: in /proc no folder can be made


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replaces a small file at once: readers, and whoever comes after a power cut, see the old one
    or the new one. Two writers at a time do not meet: each has a temporary file of its own.
    """
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}{UNFINISHED}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a small file; None where there is none that can be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def make_folder(path: Path) -> None:
    """Makes a folder and those above it, for good: a power cut does not take them away again.

    Raises:
        OSError: it cannot be made, or lies on a drive that is not there.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        if path.parent == path:  # a drive that is not there; mkdir says so
            break
        path = path.parent
    refused = 0
    while missing:
        try:
            missing[-1].mkdir(exist_ok=True)
        except FileNotFoundError:  # somebody tidied up the empty folder above meanwhile
            above = missing[-1].parent
            refused = refused + 1 if above.is_dir() else 0
            if above == missing[-1] or refused > _REFUSALS:
                raise
            if not refused:
                missing.append(above)
        else:
            sync_folder(missing.pop().parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder survive a power cut, where the platform can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
