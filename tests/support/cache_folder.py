"""A look into a cache folder from outside: what lies where, and whether it is true.

It knows the layout as CONTRIBUTING and ``domainkit.cache`` describe it and asks no function of
domainkit, so that the code under test is not its own witness.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CacheFolder", "look"]

LAYOUT = 2


@dataclass(frozen=True)
class CacheFolder:
    """Every file of a cache folder by its room; names are relative to that room.

    Attributes:
        files: ``<2 digits>/<sha256>/<name>``.
        records: what each record says, by its key.
        partial: ``<key>.part`` and its companions.
        locks: lock files.
        others: everything else, with its whole path, apart from ``layout.json``.
    """

    files: tuple[str, ...]
    records: dict[str, dict[str, object]]
    partial: tuple[str, ...]
    locks: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """No bytes of any file, finished or not, and no word of one."""
        return not (self.files or self.records or self.partial or self.others)


def look(home: Path) -> CacheFolder:
    """Reads a cache folder and asserts what has to hold at any moment between two fetches.

    Every file's bytes have the sha256 that its folder is named after; every record points to such
    a file and knows its size; locks are empty; nothing temporary lies about.
    """
    rooms: dict[str, list[str]] = {"files": [], "records": [], "partial": [], "locks": []}
    others = []
    for path in sorted(home.rglob("*")):
        if not path.is_file():
            continue
        place = path.relative_to(home)
        if place.as_posix() == "layout.json":
            assert json.loads(path.read_text())["layout"] == LAYOUT
        elif place.parts[0] in rooms and len(place.parts) > 1:
            rooms[place.parts[0]].append(place.relative_to(place.parts[0]).as_posix())
        else:
            others.append(place.as_posix())
    for name in rooms["files"]:
        first, digest, *rest = name.split("/")
        assert len(rest) == 1 and digest.startswith(first) and len(first) == 2, name
        actual = hashlib.sha256((home / "files" / name).read_bytes()).hexdigest()
        assert actual == digest, f"{name} holds bytes of sha256 {actual}"
    records = {}
    for name in rooms["records"]:
        key, dot, ending = name.rpartition(".")
        assert (dot, ending) == (".", "json"), f"{name} is no record"
        records[key] = value = json.loads((home / "records" / name).read_text())
        digest, size = value["sha256"], value["size"]
        held = [f for f in rooms["files"] if f.startswith(f"{digest[:2]}/{digest}/")]
        assert held, f"{name} points to nothing"
        assert (home / "files" / held[0]).stat().st_size == size
    for name in rooms["locks"]:
        assert (home / "locks" / name).stat().st_size == 0
    if rooms["files"] or rooms["records"]:
        assert (home / "layout.json").is_file(), "files without a layout.json"
    named = {name.rpartition("/")[0] for name in rooms["files"]}
    assert len(named) == len(rooms["files"]), "two copies of one content"
    return CacheFolder(
        tuple(rooms["files"]),
        records,
        tuple(rooms["partial"]),
        tuple(rooms["locks"]),
        tuple(others),
    )
