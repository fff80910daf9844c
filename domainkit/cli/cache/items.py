"""Everything that is in the cache, each thing with its size, last use and users."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from domainkit import cache
from domainkit.cache.quarantine import Quarantined, quarantined
from domainkit.cache.scraps import Unfinished, unfinished
from domainkit.cache.upkeep import drop
from domainkit.cli.held import Prepared, all_prepared
from domainkit.cli.show import line
from domainkit.cli.uses import Uses

__all__ = ["Item", "agreed", "by_content", "contents", "day"]


@dataclass(frozen=True)
class Item:
    """One thing in the cache.

    Attributes:
        size: bytes.
        last_used: seconds since 1970.
        users: names of the datasets and models that it is of.
        facts: what ``--json`` tells besides.
        locks: names of those that are held by whoever works on it, or makes something of it.
        take: deletes it, and returns whether it did; None where only a person may.
    """

    label: str
    size: int
    last_used: float
    users: tuple[str, ...]
    facts: dict[str, Any]
    locks: Callable[[], tuple[str, ...]] = tuple
    take: Callable[[], bool] | None = None

    def document(self) -> dict[str, Any]:
        when = datetime.fromtimestamp(self.last_used, UTC).isoformat(timespec="seconds")
        return {**self.facts, "bytes": self.size, "last_used": when, "used_by": list(self.users)}


def contents(uses: Uses) -> dict[str, list[Item]]:
    """What is in the cache by kind, the last used first."""
    kept = {
        "files": [i for same in by_content(cache.entries()) if (i := _file(same, uses))],
        "prepared": [_prepared(split) for split in all_prepared()],
        "unfinished": [_unfinished(left, uses) for left in unfinished(cache.home())],
        "quarantined": [_quarantined(put) for put in quarantined(cache.home()) if put.name],
        "manual": list(_manual()),
    }
    for items in kept.values():
        items.sort(key=lambda item: item.last_used, reverse=True)
    return kept


def by_content(entries: Iterator[cache.Entry]) -> list[list[cache.Entry]]:
    """Entries of the same bytes together."""
    groups: dict[str, list[cache.Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.sha256, []).append(entry)
    return list(groups.values())


def day(seconds: float) -> str:
    """In the time of the machine, to the minute."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def agreed(question: str, yes: bool, otherwise: str) -> None:
    """Asks on a terminal; elsewhere ``--yes`` has to be given.

    Raises:
        typer.Exit: the answer is no.
        typer.BadParameter: nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here: give --yes to remove these")
    try:
        answer = typer.confirm(question)
    except typer.Abort:  # Ctrl-C, or the end of the input
        line()
        answer = False
    if not answer:
        line(otherwise)
        raise typer.Exit(1)


def _file(same: list[cache.Entry], uses: Uses) -> Item | None:
    first = same[0]
    try:
        count = first.path.stat().st_size
    except OSError:  # somebody took it away while we listed
        return None
    keys = [entry.key for entry in same]
    published = [entry.digest for entry in same if entry.digest]
    return Item(
        label=first.path.name,
        size=count,
        last_used=max(entry.last_used for entry in same),
        users=uses.of(keys),
        facts={
            "path": str(first.path),
            "urls": list(dict.fromkeys(url for entry in same for url in entry.urls)),
            "digest": published[0] if published else None,
            "digests": published,
            "sha256": first.sha256,
            "trusted_on_first_use": not published,
        },
        locks=lambda: (*keys, *uses.locks(keys)),
        take=lambda: drop(same, uses.locks(keys)),
    )


def _prepared(split: Prepared) -> Item:
    return Item(
        label=f"{split.name}, {split.split}" if split.split else split.name,
        size=split.size,
        last_used=split.last_used,
        users=(split.name,),
        facts={
            "name": split.name,
            "split": split.split,
            "path": str(split.folder),
            "rows": split.rows,
        },
        locks=lambda: (split.lock,),
        take=split.take,
    )


def _unfinished(left: Unfinished, uses: Uses) -> Item:
    place = str(left.paths[0])
    return Item(
        label=Path(urlsplit(left.url or place).path).name,
        size=left.size,
        last_used=left.last_used,
        users=uses.of([left.key]),
        facts={"path": place, "url": left.url},
        locks=lambda: (left.key,),
        take=left.take,
    )


def _quarantined(put: Quarantined) -> Item:
    return Item(
        label=put.name,
        size=put.size,
        last_used=put.since,
        users=tuple(put.why.get("used_by", ())),
        facts={"path": str(put.folder / put.name), "why": put.why},
        locks=lambda: (put.lock,),
        take=put.take,
    )


def _manual() -> Iterator[Item]:
    room = cache.home() / "manual"
    for path in sorted(room.glob("*/*/*")):
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        stats = []
        for file in files:
            with suppress(OSError):  # somebody took it away while we listed
                stats.append(file.stat())
        if stats:
            group, owner, name = path.relative_to(room).parts
            yield Item(
                label=name,
                size=sum(stat.st_size for stat in stats),
                last_used=max(max(stat.st_mtime, stat.st_atime) for stat in stats),
                users=(f"{group}/{owner}",),
                facts={"path": str(path)},
            )
