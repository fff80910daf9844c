"""Looking after the files of a cache: which are there, are they still whole, taking some out.

Whoever takes something out first takes the lock of the key that it was fetched by, so that it waits
for a running fetch, then the lock of the bytes. Under that second lock bytes are published too
(``Slot.publish``), and there the last look is taken at which records point to them. Two keys with
the same bytes so never lose them to each other. A thread that holds the lock of some bytes waits
for no other lock but that of a place in the quarantine, whose holder waits for none; so nobody
waits in a circle. Files of locks stay for good: between a look at one
and its removal somebody may take it, and two would then hold the same lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from os import PathLike
from pathlib import Path

from domainkit.cache.digest import Digest, sums_of
from domainkit.cache.homes import check_layout, home
from domainkit.cache.records import PENDING, RECORD, Entry, blob_folder, read_records
from domainkit.errors import DigestError, FetchError

__all__ = [
    "delete_unrecorded",
    "drop",
    "entries",
    "fault_of",
    "hold_unused",
    "remove",
    "verify",
]


def entries() -> Iterator[Entry]:
    """Every file in the cache, by path; only the small records are read.

    A file that was fetched by two keys (an md5 and a sha256, say) is there once and has two
    entries.

    Example:
        >>> import os, tempfile
        >>> from unittest import mock
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with mock.patch.dict(os.environ, {"DOMAINKIT_HOME": folder}):
        ...         list(entries())
        []
    """
    base = home()
    check_layout(base)
    found = [entry for entry in read_records(base) if entry.path.is_file()]
    yield from sorted(found, key=lambda entry: (entry.path, entry.key))


def verify(
    path: str | PathLike[str], *, advance: Callable[[int], None] = lambda count: None
) -> None:
    """Reads a file of the cache again and holds it to its digests.

    Args:
        advance: told how many more bytes were read.

    Raises:
        DigestError: the bytes are not those that were fetched; says expected, got and from where.
        FetchError: the file is not in the cache.
    """
    file = Path(path)
    base = file.parents[3] if len(file.parents) > 3 else home()
    found = [entry for entry in read_records(base) if entry.path == file and file.is_file()]
    if not found:
        raise FetchError(
            f"{file}: is not a file of the cache at {home()}. See `domainkit cache ls`."
        )
    fault = fault_of(found, advance)
    if fault is not None:
        raise DigestError(
            f"{file}: is damaged: {fault} (fetched from {found[0].urls[0]}). `domainkit cache "
            "verify` puts it aside, and who needs it next fetches it again."
        )


def fault_of(same: Sequence[Entry], advance: Callable[[int], None]) -> str | None:
    """Reads bytes once and holds them to all that entries of the same content say of them.

    Returns:
        "expected ..., got ...", or None where all is well.
    """
    promises = [Digest.parse(entry.digest) for entry in same if entry.digest]
    promises.append(Digest("sha256", same[0].sha256))
    algorithms = {promise.algorithm for promise in promises}
    sums = sums_of(same[0].path, *algorithms, advance=advance)
    for promise in promises:
        if not promise.matches(sums):
            got = sums.hex(promise.algorithm)
            return f"expected {promise}, got {promise.algorithm}:{got}"
    return None


def remove(entry: Entry) -> bool:
    """Forgets a file, and deletes its bytes if no other entry has the same ones.

    What is open stays readable to those who have it open.

    Returns:
        Whether the bytes are gone.

    Raises:
        FetchError: the entry is not of the cache at ``home()``, or that cannot be written.
    """
    from domainkit.cache import lock

    base = home()
    if entry.record.parent.parent != base:
        raise FetchError(
            f"{entry.path}: is not in the cache at {base}, and shared caches are only read."
        )
    with (
        lock(entry.key, shown_as=entry.path.name),
        lock(f"blob-{entry.sha256}", shown_as=entry.path.name),
    ):
        _forget(entry)
        return delete_unrecorded(base, entry.sha256)


def drop(same: Sequence[Entry], busy: Sequence[str] = ()) -> bool:
    """Deletes the bytes of some entries of one content, unless somebody has to do with them.

    What is recorded of files without a digest stays: a later copy is held to the first one.

    Args:
        same: all entries of that content, as they were when it was chosen.
        busy: more locks, one of which is held where the bytes are being read.

    Returns:
        Whether they are gone; False where they are in use, or were used since.
    """
    base, sha256 = same[0].record.parent.parent, same[0].sha256
    with hold_unused([*(entry.key for entry in same), *busy, f"blob-{sha256}"]) as free:
        if not free:
            return False
        now = {entry.key: entry for entry in read_records(base) if entry.sha256 == sha256}
        then = {entry.key: entry.last_used for entry in same}
        if any(entry.last_used != then.get(key) for key, entry in now.items()):
            return False
        for entry in now.values():
            if not entry.trusted_on_first_use:
                _forget(entry)
        _delete_bytes(base, sha256)
        return True


@contextmanager
def hold_unused(names: Sequence[str]) -> Iterator[bool]:
    """Holds some locks that nobody else holds; gives False, without waiting, where one is held."""
    from domainkit.cache import lock

    with ExitStack() as stack:
        try:
            for name in dict.fromkeys(names):
                stack.enter_context(lock(name, progress=False, timeout=0))
            free = True
        except FetchError:
            stack.close()
            free = False
        yield free


def delete_unrecorded(base: Path, sha256: str) -> bool:
    """Deletes bytes that no record points to; the caller holds their lock."""
    if any(entry.sha256 == sha256 for entry in read_records(base)):
        return False
    _delete_bytes(base, sha256)
    return True


def _forget(entry: Entry) -> None:
    for end in (RECORD, PENDING):
        entry.record.with_suffix(end).unlink(missing_ok=True)


def _delete_bytes(base: Path, sha256: str) -> None:
    # After the records: bytes without a record are of no use to anyone, but do no harm.
    folder = blob_folder(base, sha256)
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
    for empty in (folder, folder.parent):
        with suppress(OSError):  # others may lie there
            empty.rmdir()
