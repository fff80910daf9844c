"""From a card to a prepared split: fetch its files, run its reader, write its store - once.

Where the store lies, and when it has to be made again, is ``prepared``'s to say.
"""

from __future__ import annotations

import importlib
import inspect
import queue
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from domainkit import cache
from domainkit.cards import Card, FileSpec, SplitSpec
from domainkit.errors import CardError, DomainkitError, ManualError, nearest
from domainkit.features import feature_from_spec
from domainkit.prepared import (
    find_manual,
    find_prepared,
    fingerprint,
    manual_place,
    prepared_folder,
    store_lock,
)
from domainkit.progress import bar
from domainkit.store import Store, write_store

__all__ = ["fetch_files", "find_reader", "prepare"]

_FILES_AT_ONCE = 4
_GRACE = 0.5  # seconds that a fetch which is not wanted any more gets to end


def prepare(card: Card, split: str, policy: cache.Policy | None = None) -> Store:
    """Open a split's store, making it first if it is not there.

    Any number of processes may ask at once: one prepares, the others wait and open the result. A
    prepare that is killed leaves nothing that could be taken for a store.

    Args:
        policy: how its files are fetched; None for ``cache.Policy.from_environment()``.

    Raises:
        NotFoundError, CardError, FetchError, ArchiveError, ReaderError: see each.
    """
    spec = card.split(split)
    # before any file is read: one that changes meanwhile shall make the split anew, not look done
    digest = fingerprint(card, split)
    found = find_prepared(card, split)
    if found is not None:
        return Store(found)
    folder = prepared_folder(card, split)
    with cache.lock(store_lock(folder), shown_as=f"prepare {card.name}, {split}") as held:
        if (folder / "store.json").exists():  # somebody else was faster
            return Store(folder)
        if held.reach == "all":
            for stale in folder.parent.glob(f".{folder.name}.*"):  # left by a killed prepare
                shutil.rmtree(stale, ignore_errors=True)
        reader = find_reader(card, spec)
        files = fetch_files(card, spec.files, policy)
        with bar(f"prepare {card.name}, {split}", spec.rows, unit="rows") as progress:
            try:
                return write_store(
                    folder,
                    _counted(reader(files, split, **spec.args), progress.advance),
                    {n: feature_from_spec(s, f"features.{n}") for n, s in card.features.items()},
                    fingerprint=digest,
                    info={"name": card.name, "split": split, "license": card.license},
                    expected_rows=spec.rows,
                )
            except OSError:
                # where locks do not hold everybody off, another may have been faster even now
                if held.reach == "all" or not (folder / "store.json").exists():
                    raise
                return Store(folder)
            except DomainkitError as error:
                error.args = (f"{card.name}, {split}: {error}", *error.args[1:])
                raise


def fetch_files(
    card: Card, roles: Mapping[str, str], policy: cache.Policy | None = None
) -> dict[str, Path]:
    """The verified local paths of some of a card's files: role -> path; several at a time.

    The first that cannot be had ends the others; what came of them is kept.
    """
    over, few = threading.Event(), threading.Semaphore(_FILES_AT_ONCE)
    ends: queue.SimpleQueue[tuple[str, Path | BaseException]] = queue.SimpleQueue()

    def bring(role: str, key: str) -> None:
        try:
            with few:
                ends.put((role, _local(card, card.files[key], policy, over.is_set)))
        except BaseException as error:
            ends.put((role, error))

    # daemons: whoever interrupts this gets the prompt back, and a process ends when it is told to
    threads = [threading.Thread(target=bring, args=item, daemon=True) for item in roles.items()]
    paths: dict[str, Path] = {}
    try:
        for thread in threads:
            thread.start()
        while len(paths) < len(threads):
            role, end = ends.get()
            if isinstance(end, BaseException):
                raise end
            paths[role] = end
    finally:
        over.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(_GRACE)
    return {role: paths[role] for role in roles}


def find_reader(card: Card, spec: SplitSpec) -> Callable[..., Iterable[Mapping[str, Any]]]:
    """The reader function that a split names, checked against the split's arguments.

    A name without a colon is one of the domain's own readers; "package.module:function" is
    anybody's.

    Raises:
        CardError: there is no such reader, or the card gives it arguments it does not take.
    """
    known = importlib.import_module(f"domainkit.{card.domain}.readers").READERS
    place = spec.reader if ":" in spec.reader else known.get(spec.reader)
    where = f"{card.source}: splits.{spec.name}"
    if place is None:
        raise CardError(
            f"{where}: there is no reader {spec.reader!r} for {card.domain}. "
            f"{nearest(spec.reader, known)}"
        )
    module, _, function = place.partition(":")
    try:
        reader = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise CardError(f"{where}: the reader {spec.reader!r} cannot be loaded: {error}") from error
    try:
        inspect.signature(reader).bind({}, spec.name, **spec.args)
    except (TypeError, ValueError) as error:
        raise CardError(f"{where}: reader {spec.reader!r}: {error}") from error
    return reader


def _local(
    card: Card, file: FileSpec, policy: cache.Policy | None, unwanted: Callable[[], bool]
) -> Path:
    if file.urls:
        return cache.fetch(
            file.urls, digest=file.digest, size=file.size, policy=policy, unwanted=unwanted
        )
    if file.path is not None:
        if not file.path.is_file():
            raise CardError(f"{card.source}: files.{file.key}: there is no file {file.path}")
        cache.check(file.path, digest=file.digest, size=file.size)
        return file.path
    place = find_manual(card.name, file)
    if place is None:
        facts = [f"{file.size:,} bytes"] if file.size is not None else []
        facts += [file.digest] if file.digest else []
        expected = f" Expected are {', '.join(facts)}." if facts else ""
        raise ManualError(
            f"{card.name}: {file.key!r} may not be fetched automatically. {file.manual}{expected} "
            "Then run "
            f"`domainkit download {card.name} --from FOLDER`, where FOLDER holds that file, or put "
            f"it at {manual_place(card.name, file)}"
        )
    cache.check(place, digest=file.digest, size=file.size)
    return place


def _counted(
    records: Iterable[Mapping[str, Any]], advance: Callable[[int], None]
) -> Iterator[Mapping[str, Any]]:
    for record in records:
        yield record
        advance(1)
