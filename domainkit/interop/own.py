"""What all own data has in common: prepared once into the cache, written out whole."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domainkit import cache
from domainkit.dataset import Dataset
from domainkit.errors import DomainkitError, NotFoundError
from domainkit.features import Feature, feature_from_spec
from domainkit.prepared import LAYOUT, note_use
from domainkit.progress import bar
from domainkit.store import Store, write_store

__all__ = ["Overrides", "Rows", "expand", "file_facts", "own_dataset", "overrides", "whole_file"]

VERSION = 1  # raise it when the rows made of the same files change: they are then prepared anew

Overrides = Mapping[str, Feature | None]  # column -> what it is; None leaves it out


@dataclass(frozen=True)
class Rows:
    """What a store is made of; ``info`` is kept along, ``total`` is for the progress bar."""

    features: Mapping[str, Feature]
    records: Iterable[Mapping[str, Any]]
    total: int | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


def own_dataset(
    facts: Mapping[str, Any],
    make: Callable[[], Rows],
    *,
    name: str,
    split: str = "",
    place: str = "",
) -> Dataset:
    """Open the store that belongs to ``facts``, making it first if it is not there.

    Args:
        facts: all that the rows depend on, JSON-safe. Their digest is the dataset's fingerprint.
        make: called once, only where the store is not there.
        name, split: what messages and tables call the data.
        place: where the data lies. It keeps the stores of two places apart whose files have the
            same names, sizes and times, but is no part of the fingerprint: data that moved is
            still the same data to a loader's state.
    """
    text = json.dumps({"layout": LAYOUT, "version": VERSION, **facts}, sort_keys=True)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:32]
    key = hashlib.sha256(f"{fingerprint}\n{place}\n{name}".encode()).hexdigest()[:12]
    safe = re.sub(r"[^\w.-]+", "_", name).strip("._") or "unnamed"
    folder = cache.home() / "prepared" / "own" / safe / f"{split or 'all'}-{key}"
    if (folder / "store.json").exists():
        note_use(folder / "store.json")
        return Dataset(Store(folder))
    with cache.lock(f"prepare-own-{safe}-{folder.name}"):
        if not (folder / "store.json").exists():  # else somebody was faster
            for stale in folder.parent.glob(f".{folder.name}.*"):  # left by a killed prepare
                shutil.rmtree(stale, ignore_errors=True)
            try:
                rows = make()
                with bar(f"prepare {name}", rows.total, unit="rows") as progress:
                    write_store(
                        folder,
                        _counted(rows.records, progress.advance),
                        rows.features,
                        fingerprint=fingerprint,
                        info={"name": name, **({"split": split} if split else {}), **rows.info},
                    )
            except DomainkitError as error:
                error.args = (f"{name}: {error}", *error.args[1:])
                raise
    return Dataset(Store(folder))


def overrides(features: Mapping[str, Any] | None) -> dict[str, Feature | None]:
    """Check a user's ``features=``: column -> ``Feature``, a card's spec of one, or None."""
    checked: dict[str, Feature | None] = {}
    for column, given in (features or {}).items():
        if given is None or isinstance(given, Feature):
            checked[column] = given
        elif isinstance(given, Mapping):
            checked[column] = feature_from_spec(given, f"features[{column!r}]")
        else:
            raise TypeError(
                f"features[{column!r}] must be a Feature, a dict such as {{'type': 'Text'}} or "
                f"None to leave the column out, got {given!r:.60}"
            )
    return checked


def override_facts(given: Overrides) -> dict[str, Any]:
    """The JSON form of checked overrides, for a fingerprint."""
    return {column: feature and feature.spec() for column, feature in given.items()}


def expand(path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The files that a path, a list of paths, ``*`` and ``{000..031}`` in them mean, in order.

    Raises:
        NotFoundError: a path is no file, a pattern meets none.

    Example:
        >>> [p.name for p in _braces("shard-{08..10}.tar")]
        ['shard-08.tar', 'shard-09.tar', 'shard-10.tar']
    """
    files: list[Path] = []
    for given in [path] if isinstance(path, (str, os.PathLike)) else path:
        for one in _braces(os.path.expanduser(os.fspath(given))):
            if one.is_file():
                files.append(one)
                continue
            found = sorted(glob.glob(str(one))) if glob.has_magic(str(one)) else []
            if not found:
                raise NotFoundError(f"There is no file {one}")
            files.extend(Path(f) for f in found)
    if not files:
        raise NotFoundError("expected at least one path, got an empty list")
    return files


def _braces(path: str) -> Iterator[Path]:
    match = re.search(r"\{(\d+)\.\.(\d+)\}", path)
    if match is None:
        yield Path(path)
        return
    for number in range(int(match[1]), int(match[2]) + 1):
        text = str(number).zfill(len(match[1]))
        yield from _braces(path[: match.start()] + text + path[match.end() :])


def file_facts(files: Iterable[Path], root: Path | None = None) -> list[list[Any]]:
    """[name, bytes, time of the last change in ns] of each file; names are relative to ``root``."""
    facts = []
    for file in files:
        stat = file.stat()
        name = file.relative_to(root).as_posix() if root else file.name
        facts.append([name, stat.st_size, stat.st_mtime_ns])
    return facts


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``path``; it is renamed to ``path`` when the block ends well."""
    final = Path(path).expanduser()
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.parent / f".{final.name}.{uuid.uuid4().hex[:8]}"
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def _counted(
    records: Iterable[Mapping[str, Any]], advance: Callable[[int], None]
) -> Iterator[Mapping[str, Any]]:
    for record in records:
        yield record
        advance(1)
