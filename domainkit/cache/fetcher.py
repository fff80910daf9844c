"""``fetch``: found in the cache, or brought there by one process while the others wait."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from domainkit import progress as progress_module
from domainkit.cache.digest import Digest
from domainkit.cache.layout import Slot, slot_for, touch
from domainkit.cache.locks import FULL, Held, lock
from domainkit.cache.mirrors import mirrored, offline, without_login
from domainkit.cache.pages import looks_like_page
from domainkit.cache.partial import Partial
from domainkit.cache.policy import Policy
from domainkit.cache.sources import check_address, is_local, open_source
from domainkit.errors import DigestError, FetchError, MissingExtraError, OfflineError

if TYPE_CHECKING:
    from domainkit.cache.ranges import Transfer

__all__ = ["adopt", "fetch"]

_PAGE = re.compile(r"\.html?$", re.IGNORECASE)
_TEXT = re.compile(r"\.(csv|json|jsonl|md|tsv|txt|xml)$", re.IGNORECASE)  # often called a page


def fetch(
    urls: str | Sequence[str],
    *,
    digest: str | None = None,
    size: int | None = None,
    name: str | None = None,
    progress: bool | None = None,
    policy: Policy | None = None,
    unwanted: Callable[[], bool] | None = None,
) -> Path:
    """The verified local copy of a file on the web, fetched once.

    Among any number of processes and threads one fetches and the others wait for it. A copy that
    is already there is returned without reading it (``verify`` reads it). One content is kept once,
    whatever address or digest it was asked for by, under the name it was first fetched by.

    Args:
        urls: addresses of the same file, tried in turn: ``https:``, ``http:``, ``file:``,
            ``hf://datasets/owner/name/path`` or ``hf://owner/name/path`` (Hugging Face), a Google
            Drive link, and with the extra that it needs ``s3:``, ``gs:`` and what else fsspec
            knows.
        digest: ``"sha256:<hex>"`` (or its first 8 digits or more), ``"sha512:..."``,
            ``"md5:..."``, ``"crc32:..."``. Without one the first copy is trusted, its sha256
            recorded, and every later copy held to that.
        size: bytes, where known.
        name: the file's name in the cache; by default the last part of the address.
        progress: show a bar; None as ``domainkit.progress`` is set.
        policy: timeouts, patience, connections and bandwidth; None for
            ``Policy.from_environment()``.
        unwanted: asked now and then; when it says True the fetch ends with a FetchError, and what
            came is kept for the next one.

    Raises:
        OfflineError: not in the cache, and DOMAINKIT_OFFLINE is set.
        DigestError: no address gave the promised bytes; nothing is kept.
        FetchError: no address gave the file, or it cannot be written; says why and what to do.
        MissingExtraError: an address needs a library that is not installed.

    Example:
        >>> fetch("https://example.org/a.zip", digest="md5:xyz")
        Traceback (most recent call last):
        domainkit.errors.FetchError: digest 'md5:xyz' is not understood. Expected ...
    """
    wanted = [urls] if isinstance(urls, str) else list(urls)
    if not wanted:
        raise FetchError("no address to fetch from. Give at least one URL.")
    for url in wanted:
        check_address(url)
    addresses = [*mirrored(wanted), *wanted]
    if offline():
        addresses = [url for url in addresses if is_local(url)]
    return _find_or_bring(
        *(wanted, addresses, digest, size),
        name=name,
        progress=progress,
        policy=policy,
        unwanted=unwanted,
    )


def adopt(
    path: str | PathLike[str],
    urls: str | Sequence[str],
    *,
    digest: str | None = None,
    size: int | None = None,
    progress: bool | None = None,
) -> Path:
    """Puts a local copy of a file into the cache, as if it had been fetched from ``urls``.

    The copy is held to the digest and size like any other, and stays where it is.

    Raises:
        DigestError, FetchError: as ``fetch``; nothing is kept.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.bin")
        ...     _ = path.write_bytes(b"abc")
        ...     adopt(path, "https://example.org/a.bin", digest="crc32:352441c2").read_bytes()
        b'abc'
    """
    wanted = [urls] if isinstance(urls, str) else list(urls)
    here = Path(path).absolute().as_uri()
    return _find_or_bring(wanted, [here], digest, size, progress=progress)


def _find_or_bring(
    wanted: Sequence[str],
    addresses: Sequence[str],
    digest: str | None,
    size: int | None,
    *,
    name: str | None = None,
    progress: bool | None = None,
    policy: Policy | None = None,
    unwanted: Callable[[], bool] | None = None,
) -> Path:
    promise = None if digest is None else Digest.parse(digest)
    slot = slot_for(wanted, promise, name)
    found = slot.find(size)
    if found is None and not addresses:
        found = slot.reuse(wanted, promise, size)
        if found is None:
            raise OfflineError(
                f"{without_login(wanted[0])}: is not in the cache at {slot.base} and "
                "DOMAINKIT_OFFLINE forbids fetching it. Unset DOMAINKIT_OFFLINE, or fetch it where "
                "there is a network and name that cache by DOMAINKIT_SHARED or DOMAINKIT_HOME."
            )
    if found is None:
        patience = policy or Policy.from_environment()
        until = None if patience.deadline is None else patience.monotonic() + patience.deadline
        with (
            _disk_trouble(slot.base),
            lock(
                slot.key,
                shown_as=slot.name,
                progress=progress,
                timeout=patience.deadline,
                unwanted=unwanted,
            ) as held,
        ):
            # another process may have fetched it while we waited, or under another key before
            found = slot.find(size) or slot.reuse(wanted, promise, size)
            if found is None:
                job = _Job(slot, wanted, addresses, promise, size, patience, until, unwanted)
                return job.run(held, progress)
    touch(slot)
    return found.path


@contextmanager
def _disk_trouble(folder: Path) -> Iterator[None]:
    try:
        yield
    except FetchError:
        raise
    except OSError as error:
        if error.errno in FULL:
            free = shutil.disk_usage(folder).free if folder.exists() else 0
            why, what = f"the disk is full ({free:,} bytes free)", "Make room there"
            if error.errno == errno.ENOSPC and error.filename is None:
                why += f": {error.strerror}"
            if error.errno == errno.EFBIG:
                why = "a file may not grow so large there (a limit of the system or the folder)"
        else:
            why, what = f"cannot be written ({error})", "Allow writing there"
        raise FetchError(
            f"{folder}: {why}. {what}, or set DOMAINKIT_HOME to another folder. What was fetched "
            "so far is taken up again."
        ) from error


class _MismatchError(Exception):
    """The whole file came and is not the promised one."""


class _AgainError(Exception):
    """The whole file came, and its fault may lie in how it came: from nothing, once more."""


@dataclass(frozen=True)
class _Job:
    """One file on its way, with the lock held."""

    slot: Slot
    urls: Sequence[str]
    addresses: Sequence[str]
    promise: Digest | None
    size: int | None
    policy: Policy
    until: float | None
    unwanted: Callable[[], bool] | None

    def run(self, held: Held, progress: bool | None) -> Path:
        from domainkit.cache.ranges import OutOfTimeError, UnwantedError
        from domainkit.cache.sources.base import GiveUp

        algorithm = self.promise.algorithm if self.promise else "sha256"
        expected = self.promise or self.slot.remembered(self.size, self.urls)
        failures: list[str] = []
        mismatch = False
        place = self.slot.partial
        place = place.with_name(f"{place.stem}{held.suffix}.part")
        hint = "Set DOMAINKIT_MIRROR if another server has the file."
        with (
            progress_module.bar(self.slot.name, self.size, "B", progress) as shown,
            Partial(place, algorithm, shown, expected is not None) as partial,
        ):
            for index, url in enumerate(self.addresses):
                last = index + 1 == len(self.addresses)
                try:
                    self._insist(url, partial, shown, expected, last)
                except MissingExtraError as error:
                    if last and not failures:
                        raise
                    failures.append(f"{without_login(url)}: {error}")
                    continue
                except (GiveUp, _MismatchError) as error:
                    failures.append(f"{without_login(url)}: {error}")
                    mismatch |= isinstance(error, _MismatchError)
                    continue
                except OutOfTimeError:
                    failures.append(
                        f"{without_login(url)}: the time of {self.policy.deadline:g} s for this "
                        f"file has passed; {partial.held:,} bytes came"
                    )
                    hint = "Allow more time; what came is taken up again."
                    break
                except UnwantedError as error:
                    raise FetchError(
                        f"{self.slot.name}: is not wanted any more; {partial.held:,} bytes are "
                        "kept for the next time."
                    ) from error
                sums = partial.finish()
                partial.seal()
                path = self.slot.publish(partial.path, self.urls, self.promise, sums)
                partial.forget()
                return path
            if any(failure.endswith("attempts)") for failure in failures):
                hint = "Try again later, or set DOMAINKIT_MIRROR to a server that has the file."
            kind = DigestError if mismatch else FetchError
            if offline() and not mismatch:
                kind, hint = OfflineError, "DOMAINKIT_OFFLINE forbids to ask anywhere else."
            raise kind("\n  ".join([f"{self.slot.name} could not be fetched.", *failures, hint]))

    def _insist(
        self,
        url: str,
        partial: Partial,
        shown: progress_module.Progress,
        expected: Digest | None,
        last: bool,
    ) -> None:
        """Tries one address until the verified file is there or hope is gone."""
        from domainkit.cache.ranges import Transfer
        from domainkit.cache.sources.base import GiveUp

        allowed = self.policy.attempts if last else self.policy.attempts_before_mirror
        try:
            source = open_source(url, self.policy, self.until)
        except FetchError as error:
            raise GiveUp(str(error)) from error
        try:
            for attempt in range(2):
                if attempt:
                    self.policy.sleep(self.policy.wait(1, None))
                transfer = Transfer(
                    source,
                    partial,
                    self.policy,
                    shown,
                    size=self.size,
                    promised=expected is not None,
                    allowed=allowed,
                    until=self.until,
                    unwanted=self.unwanted,
                    parallel=attempt == 0,
                )
                transfer.run()
                try:
                    self._check(partial, expected, transfer)
                    return
                except _AgainError as error:
                    wrong = error
            raise _MismatchError(f"{wrong} (both times)")
        finally:
            source.close()

    def _check(self, partial: Partial, expected: Digest | None, transfer: Transfer) -> None:
        """Accepts the whole file, or throws it away and says what is wrong with it."""
        from domainkit.cache.sources.base import GiveUp

        head, count, framed = partial.head(), partial.held, transfer.framed
        called = transfer.page and expected is None and self.size is None
        page = looks_like_page(head) or (called and not _TEXT.search(self.slot.name))
        page = page and not _PAGE.search(self.slot.name)
        sums, resumed, told = partial.finish(), partial.resumed, partial.digest
        if expected is None and told is not None and not Digest.parse(told).matches(sums):
            partial.reset()
            raise _AgainError(f"the bytes that came are not those whose digest it told ({told})")
        if expected is not None and not expected.matches(sums):
            partial.reset()
            actual = f"{expected.algorithm}:{sums.hex(expected.algorithm)}"
            why = f"expected {expected}, got {actual} ({count:,} bytes)"
            if resumed or not framed or transfer.joined:  # the fault may lie in how it came
                raise _AgainError(why)
            if page:
                why += f". It is a web page (login, licence or quota?): {head[:80]!r}"
            elif self.promise is None:
                why += (
                    ". No digest is published; the expected one was recorded when the file was "
                    "first fetched. If it has changed for good reason, take the dataset out of the "
                    f"cache with `domainkit cache rm NAME`, or delete {self.slot.record}"
                )
            raise _MismatchError(why)
        if expected is None and (page or count == 0 != self.size):
            partial.reset()
            what = f"a web page (login, licence or quota?): {head[:80]!r}" if page else "nothing"
            raise GiveUp(f"sends {what} instead of {self.slot.name}")
