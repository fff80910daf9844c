"""``domainkit cache ls``: what is in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from domainkit import cache
from domainkit.cache.homes import shared_homes
from domainkit.cache.records import read_records
from domainkit.cli.cache.group import app
from domainkit.cli.cache.items import Item, contents, day
from domainkit.cli.options import Json
from domainkit.cli.show import complain, document, line, plural, size, table
from domainkit.cli.uses import all_uses

__all__ = ["ls"]

_TITLES = {
    "unfinished": "unfinished (taken up again by the next download)",
    "quarantined": "quarantined (damaged, put aside by `domainkit cache verify`)",
    "manual": "manual (put there by hand)",
}


@app.command(short_help="List what is in the cache, with sizes and who uses it.")
def ls(json: Json = False) -> None:
    """List files, prepared splits and the rest, with size, last use and the names that use them.

    \b
    Examples:
      domainkit cache ls
      domainkit cache ls --json | jq '.files[] | select(.used_by == []) | .path'
    """
    uses = all_uses()
    kept = contents(uses)
    shared = [_shared(base) for base in shared_homes()]
    total = sum(item.size for items in kept.values() for item in items)
    if json:
        told = {kind: [item.document() for item in items] for kind, items in kept.items()}
        document({"folder": str(cache.home()), "bytes": total, **told, "shared": shared})
        return
    for kind, items in kept.items():
        if items:
            line(_TITLES.get(kind, kind))
            table([_row(kind, item) for item in items], right=(0,))
    line(f"{size(total)} in {cache.home()}")
    for other in shared:
        here = f"{plural(other['files'], 'file')}, {size(other['bytes'])}"
        line(f"shared: {here if other['there'] else 'nothing'} in {other['folder']}")
    for name in uses.unread:
        complain(f"the card of {name} cannot be read, so its files are shown without it")


def _row(kind: str, item: Item) -> tuple[str, str, str, str]:
    users = "" if kind == "prepared" else ", ".join(item.users)
    return size(item.size), day(item.last_used), item.label, users


def _shared(base: Path) -> dict[str, Any]:
    sizes = {entry.sha256: entry.size for entry in read_records(base) if entry.whole}
    return {
        "folder": str(base),
        "there": base.is_dir(),
        "files": len(sizes),
        "bytes": sum(sizes.values()),
    }
