"""``domainkit cache``: where the cache is, what is in it, and taking things out."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from domainkit import cache as store
from domainkit.cache.layout import read_json
from domainkit.cards import Card
from domainkit.cli.held import Prepared, all_prepared, held_file, slot_of
from domainkit.cli.names import find
from domainkit.cli.options import Json, new_app
from domainkit.cli.show import document, line, plural, size, table
from domainkit.errors import NotFoundError
from domainkit.model_cards import ModelCard

__all__ = ["app"]

app = new_app(help="Where downloads are kept, what is there, and how to make room.")


@app.command()
def path() -> None:
    """Print the folder of the cache; DOMAINKIT_HOME moves it.

    \b
    Example:
      du -sh "$(domainkit cache path)"
    """
    line(str(store.home()))


@app.command(short_help="List what is in the cache, with sizes.")
def ls(json: Json = False) -> None:
    """List files and prepared splits with their size and last use, the latest first.

    \b
    Example:
      domainkit cache ls
    """
    kept = {
        "files": [_file_facts(entry) for entry in store.entries()],
        "prepared": [_split_facts(split) for split in all_prepared()],
        "unfinished": [_partial_facts(path) for path in (store.home() / "partial").glob("*.part")],
    }
    for items in kept.values():
        items.sort(key=lambda item: item["last_used"], reverse=True)
    total = sum(item["bytes"] for items in kept.values() for item in items)
    if json:
        document({"folder": str(store.home()), "bytes": total, **kept})
        return
    for title, items in kept.items():
        if items:
            line(title)
            rows = [(size(i["bytes"]), _day(i["last_used"]), _label(i)) for i in items]
            table(rows, right=(0,))
    line(f"{size(total)} in {store.home()}")


@app.command(short_help="Remove what is kept of datasets or models.")
def rm(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Datasets or models.")],
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the files and prepared splits of datasets, or the weights of models.

    Asks first on a terminal; elsewhere --yes is needed. Files that come with domainkit stay.

    \b
    Example:
      domainkit cache rm vision/cifar10 --yes
    """
    things = [thing for name in dict.fromkeys(names) for thing in _things(name)]
    if not things:
        line(f"nothing of {', '.join(names)} is in the cache")
        return
    table([(size(thing.size), thing.label) for thing in things], right=(0,))
    total = sum(thing.size for thing in things)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("nobody can be asked here: give --yes to remove these")
        if not _agreed(f"Remove {size(total)}?"):
            line("nothing was removed")
            raise typer.Exit(1)
    for thing in things:
        thing.remove()
    line(f"removed {plural(len(things), 'item')}, {size(total)}")


def _agreed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:  # Ctrl-C, or the end of the input
        line()
        return False


@dataclass(frozen=True)
class _Thing:
    """Something to remove: a file of the cache, a prepared split, or what is left of a fetch."""

    label: str
    size: int  # bytes
    lock: str  # who works on it holds this
    paths: tuple[Path, ...] = ()
    entry: store.Entry | None = None

    def remove(self) -> None:
        with store.lock(self.lock):
            if self.entry is not None:
                store.remove(self.entry)
            for path in self.paths:
                if path.is_dir():
                    (path / "store.json").unlink(missing_ok=True)  # from now on it is no store
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _things(name: str) -> Iterator[_Thing]:
    prepared = list(all_prepared(name))
    try:
        card: Card | ModelCard | None = find(name, ("dataset", "model"))
    except NotFoundError:
        if not prepared:
            raise
        card = None  # a private card that is gone: its prepared splits can still go
    for split in prepared:
        lock = f"prepare-{name}-{split.folder.name}"
        yield _Thing(f"{name}, {split.split}: {split.folder}", split.size, lock, (split.folder,))
    if isinstance(card, ModelCard):
        specs = [spec.file for spec in card.weights.values()]
    else:
        specs = list(card.files.values()) if card else []
    for spec in specs:
        slot = slot_of(spec)
        if slot is None:
            continue
        held = held_file(name, spec)
        left = [
            slot.partial,
            slot.partial.with_suffix(".json"),
            *([held.path] if held.path else []),
        ]
        paths = tuple(path for path in left if path.is_file())
        if held.entry is not None or paths:
            where = str(held.path or slot.partial)
            bytes_ = sum(path.stat().st_size for path in paths)
            yield _Thing(where, bytes_, slot.key, paths, held.entry)


def _file_facts(entry: store.Entry) -> dict[str, Any]:
    return {
        "path": str(entry.path),
        "bytes": entry.size,
        "last_used": _when(entry.last_used),
        "urls": list(entry.urls),
        "digest": entry.digest,
        "sha256": entry.sha256,
        "trusted_on_first_use": entry.trusted_on_first_use,
    }


def _split_facts(split: Prepared) -> dict[str, Any]:
    return {
        "name": split.name,
        "split": split.split,
        "path": str(split.folder),
        "rows": split.rows,
        "bytes": split.size,
        "last_used": _when(split.last_used),
    }


def _partial_facts(path: Path) -> dict[str, Any]:
    note = read_json(path.with_suffix(".json")) or {}
    stat = path.stat()
    return {
        "path": str(path),
        "url": note.get("url"),
        "bytes": stat.st_size,
        "last_used": _when(stat.st_mtime),
    }


def _label(item: dict[str, Any]) -> str:
    if "split" in item:
        return f"{item['name']}, {item['split']}"
    return Path(urlsplit(item.get("url") or item["path"]).path).name


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _day(when: str) -> str:
    """In the time of the machine, to the minute."""
    return datetime.fromisoformat(when).astimezone().strftime("%Y-%m-%d %H:%M")
