"""``domainkit cache rm``: taking out all that is of a dataset or model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from domainkit import cache
from domainkit.cache.homes import check_layout
from domainkit.cache.records import Entry, read_records
from domainkit.cache.scraps import Unfinished, unfinished
from domainkit.cli.cache.group import app
from domainkit.cli.cache.items import agreed
from domainkit.cli.held import Prepared, all_prepared
from domainkit.cli.names import find
from domainkit.cli.show import line, plural, size, table
from domainkit.cli.uses import Uses, all_uses, files_of, key_for
from domainkit.errors import NotFoundError
from domainkit.prepared import remove_store

__all__ = ["rm"]


@dataclass(frozen=True)
class _Thing:
    """Something to remove; ``size`` is what becomes free."""

    label: str
    size: int
    remove: Callable[[], object]


@app.command(short_help="Remove what is kept of datasets or models.")
def rm(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME", help="Datasets or models, or own/NAME of own data."),
    ],
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the files and prepared splits of datasets, or the weights of models.

    What another dataset or model in the cache uses too stays; name them all to remove it. Asks
    first on a terminal; elsewhere --yes is needed. Files that come with domainkit stay, and so do
    those that were put there by hand.

    \b
    Examples:
      domainkit cache rm vision/cifar10 --yes
      domainkit cache rm own/my-photos
    """
    names = list(dict.fromkeys(names))
    check_layout(cache.home())
    uses = all_uses()
    splits = [split for name in names for split in _splits(name)]
    keys = {key_for(s) for n in names if n in uses.cards for s in files_of(uses.cards[n]) if s.urls}
    going, staying = _entries(keys, set(names), uses)
    things = [
        *map(_prepared, splits),
        *_files(going),
        *(_unfinished(left) for left in unfinished(cache.home()) if left.key in keys),
    ]
    for entry, users in staying:
        line(f"{entry.path.name} stays, {size(entry.size)}: {', '.join(users)} uses it too")
    if not things:
        what = "nothing else" if staying else "nothing"
        line(f"{what} of {', '.join(names)} is in the cache")
        return
    table([(size(thing.size), thing.label) for thing in things], right=(0,))
    total = sum(thing.size for thing in things)
    agreed(f"Remove {size(total)}?", yes, "nothing was removed")
    for thing in things:
        thing.remove()
    line(f"removed {plural(len(things), 'item')}, {size(total)}")


def _splits(name: str) -> list[Prepared]:
    found = list(all_prepared(name))
    if not found:
        try:
            find(name, ("dataset", "model"))
        except NotFoundError:
            if not name.startswith(("own/", "hf/")):
                raise
            raise NotFoundError(
                f"Nothing called {name!r} is in the cache. `domainkit cache ls` shows what is."
            ) from None
    return found  # of a private card that is gone too


def _entries(
    keys: set[str], names: set[str], uses: Uses
) -> tuple[list[Entry], list[tuple[Entry, list[str]]]]:
    """The entries of these keys that may go, and those that stay with who needs them."""
    going, staying = [], []
    for entry in read_records(cache.home()):
        if entry.key in keys:
            others = [n for n in uses.of([entry.key]) if n not in names and uses.in_cache(n, keys)]
            if others and entry.whole:
                staying.append((entry, others))
            else:
                going.append(entry)
    return going, staying


def _files(going: Sequence[Entry]) -> Iterator[_Thing]:
    """Entries as things to remove; bytes that several share count once, with the last of them."""
    left = {entry.key: entry.sha256 for entry in read_records(cache.home())}
    for entry in going:
        left.pop(entry.key, None)
        try:
            free = entry.path.stat().st_size
        except OSError:  # somebody may take it away while we look
            free = None
        if free is not None and entry.sha256 in left.values():
            label = f"the record of {entry.path.name}, whose bytes another entry has too"
            yield _Thing(label, 0, partial(cache.remove, entry))
        elif free is not None:
            yield _Thing(str(entry.path), free, partial(cache.remove, entry))
        else:
            label = f"the record of {entry.path.name}, whose bytes are gone"
            yield _Thing(label, 0, partial(cache.remove, entry))


def _prepared(split: Prepared) -> _Thing:
    def remove() -> None:
        with cache.lock(split.lock, shown_as=split.name):
            if split.folder.exists():
                remove_store(split.folder)

    label = f"{split.name}, {split.split}: {split.folder}" if split.split else str(split.folder)
    return _Thing(label, split.size, remove)


def _unfinished(left: Unfinished) -> _Thing:
    def remove() -> None:
        with cache.lock(left.key, shown_as=Path(left.paths[0]).name):
            for path in left.paths:
                path.unlink(missing_ok=True)

    return _Thing(str(left.paths[0]), left.size, remove)
