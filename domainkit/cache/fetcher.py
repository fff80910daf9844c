"""``fetch``: found in the cache, or brought there by one process while the others wait."""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from domainkit import progress as progress_module
from domainkit.cache.digest import Digest
from domainkit.cache.layout import Slot, slot_for, touch
from domainkit.cache.local import lock
from domainkit.cache.partial import Partial
from domainkit.errors import DigestError, FetchError, OfflineError

if TYPE_CHECKING:
    import httpx

__all__ = ["Policy", "fetch"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Policy:
    """How patient ``fetch`` is.

    Attributes:
        connect_timeout, read_timeout: seconds for a connection, and without a single byte.
        attempts: tries in a row without a new byte before an address is given up.
        attempts_before_mirror: the same while another address is left to try.
        attempts_in_all: tries at one address, with new bytes or without.
        backoff, backoff_cap: the n-th wait is drawn from 0 to ``min(cap, backoff * 2**(n-1))``
            seconds.
        retry_after_cap: seconds that a server's Retry-After can make us wait at most.
        sleep, clock, jitter: the passing of time and the draw from [0, 1), for tests.
    """

    connect_timeout: float = 15.0
    read_timeout: float = 30.0
    attempts: int = 5
    attempts_before_mirror: int = 2
    attempts_in_all: int = 100
    backoff: float = 0.5
    backoff_cap: float = 30.0
    retry_after_cap: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time
    # An own source: the user's seeded `random` stays where it is.
    jitter: Callable[[], float] = field(default_factory=lambda: random.SystemRandom().random)

    def wait(self, failures: int, after: str | None) -> float:
        """Seconds to wait after so many failures in a row, and the server's Retry-After."""
        drawn = self.jitter() * min(self.backoff_cap, self.backoff * 2 ** (failures - 1))
        asked = 0.0
        if after is not None and after.strip().isdecimal():
            asked = float(after)
        elif after is not None:
            from email.utils import parsedate_to_datetime

            try:
                asked = parsedate_to_datetime(after).timestamp() - self.clock()
            except (TypeError, ValueError):
                asked = 0.0
        return max(drawn, min(asked, self.retry_after_cap))


def fetch(
    urls: str | Sequence[str],
    *,
    digest: str | None = None,
    size: int | None = None,
    name: str | None = None,
    progress: bool | None = None,
    policy: Policy | None = None,
) -> Path:
    """The verified local copy of a file on the web, fetched once.

    Among any number of processes and threads one fetches and the others wait for it. A copy that
    is already there is returned without reading it (``verify`` reads it). Two addresses with one
    full digest share one copy, under the name it was first fetched by.

    Args:
        urls: http or https addresses of the same file, tried in turn.
        digest: ``"sha256:<hex>"`` (or its first 8 digits or more), ``"sha512:..."``,
            ``"md5:..."``, ``"crc32:..."``. Without one the first copy is trusted, its sha256
            recorded, and every later copy held to that.
        size: bytes, where known.
        name: the file's name in the cache; by default the last part of the address.
        progress: show a bar; None as ``domainkit.progress`` is set.
        policy: timeouts and patience.

    Raises:
        OfflineError: not in the cache, and DOMAINKIT_OFFLINE is set.
        DigestError: no address gave the promised bytes; nothing is kept.
        FetchError: no address gave the file, or it cannot be written; says why and what to do.

    Example:
        >>> fetch("https://example.org/a.zip", digest="md5:xyz")
        Traceback (most recent call last):
        domainkit.errors.FetchError: digest 'md5:xyz' is not understood. Expected ...
    """
    wanted = [urls] if isinstance(urls, str) else list(urls)
    _check_addresses(wanted)
    promise = None if digest is None else Digest.parse(digest)
    slot = slot_for(wanted, promise, name)
    found = slot.find(size)
    if found is None:
        if os.environ.get("DOMAINKIT_OFFLINE", "").strip().lower() not in ("", "0", "false", "no"):
            raise OfflineError(
                f"{wanted[0]}: is not in the cache at {slot.base} and DOMAINKIT_OFFLINE forbids "
                "fetching it. Unset DOMAINKIT_OFFLINE, or fetch it where there is a network and "
                "share that cache by DOMAINKIT_HOME."
            )
        with _disk_trouble(slot.base), lock(slot.key, shown_as=slot.name, progress=progress):
            found = slot.find(size)  # another process may have fetched it while we waited
            if found is None:
                job = _Job(slot, wanted, promise, size, policy or Policy())
                return job.run(progress)
    touch(slot)
    return found.path


@contextmanager
def _disk_trouble(folder: Path) -> Iterator[None]:
    try:
        yield
    except FetchError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            free = shutil.disk_usage(folder).free if folder.exists() else 0
            why, what = f"the disk is full ({free:,} bytes free)", "Make room there"
        else:
            why, what = f"cannot be written ({error})", "Allow writing there"
        raise FetchError(
            f"{folder}: {why}. {what}, or set DOMAINKIT_HOME to another folder. What was fetched "
            "so far is taken up again."
        ) from error


class _Mismatch(Exception):
    """The whole file came and is not the promised one."""


@dataclass(frozen=True)
class _Job:
    """One file on its way, with the lock held."""

    slot: Slot
    urls: Sequence[str]
    promise: Digest | None
    size: int | None
    policy: Policy

    def run(self, progress: bool | None) -> Path:
        from domainkit.cache.attempt import GiveUp, open_client

        addresses = [*_mirrored(self.urls), *self.urls]
        algorithm = self.promise.algorithm if self.promise else "sha256"
        failures, mismatch = [], False
        policy = self.policy
        with (
            progress_module.bar(self.slot.name, self.size, "B", progress) as shown,
            Partial(self.slot.partial, algorithm, shown) as partial,
            open_client(policy.connect_timeout, policy.read_timeout) as client,
        ):
            for index, url in enumerate(addresses):
                more = index + 1 < len(addresses)
                try:
                    self._insist(client, url, partial, shown, more)
                except (GiveUp, _Mismatch) as error:
                    failures.append(f"{url}: {error}")
                    mismatch |= isinstance(error, _Mismatch)
                    continue
                partial.seal()
                path = self.slot.publish(partial.path, self.urls, self.promise, partial.sums)
                partial.forget()
                return path
        kind = DigestError if mismatch else FetchError
        hint = "Try again later, or set DOMAINKIT_MIRROR to a server that has the file."
        raise kind("\n  ".join([f"{self.slot.name} could not be fetched.", *failures, hint]))

    def _insist(
        self,
        client: httpx.Client,
        url: str,
        partial: Partial,
        shown: progress_module.Progress,
        more: bool,
    ) -> None:
        """Tries one address until the verified file is there or hope is gone."""
        from domainkit.cache.attempt import GiveUp, Retry, transfer

        expected = self.promise or self.slot.remembered(self.size)
        allowed = self.policy.attempts_before_mirror if more else self.policy.attempts
        failures = 0
        for _ in range(self.policy.attempts_in_all):
            before = partial.offset
            try:
                transfer(client, url, partial, self.size, expected is not None)
                return self._check(partial, expected)
            except Retry as error:
                if error.at_once:
                    continue
                failures = 1 if partial.resumable and partial.offset > before else failures + 1
                if failures >= allowed:
                    raise GiveUp(f"{error} ({failures} attempts)") from error
                wait = self.policy.wait(failures, error.after)
                shown.note(f"{error}; trying again in {wait:.0f} s")
            self.policy.sleep(wait)
            shown.note("")
        raise GiveUp(f"no end after {self.policy.attempts_in_all} attempts")

    def _check(self, partial: Partial, expected: Digest | None) -> None:
        """Accepts the whole file, or throws it away and says what is wrong with it."""
        from domainkit.cache.attempt import GiveUp, Retry, looks_like_html

        head = partial.head()
        page = looks_like_html(head) and not re.search(r"\.html?$", self.slot.name.lower())
        got, count, resumed = partial.sums, partial.offset, partial.resumed
        if expected is not None and not expected.matches(got):
            partial.reset()
            if resumed:  # the fault may lie in what an earlier run left
                raise Retry("the resumed file has another digest", at_once=True)
            actual = f"{expected.algorithm}:{got.hex(expected.algorithm)}"
            why = f"expected {expected}, got {actual} ({count:,} bytes)"
            if page:
                why += f". It is a web page (login, licence or quota?): {head[:80]!r}"
            elif self.promise is None:
                why += (
                    ". No digest is published; the expected one was recorded when the file was "
                    f"first fetched. If it has changed for good reason, delete {self.slot.record}"
                )
            raise _Mismatch(why)
        if expected is None and (page or count == 0 != self.size):
            partial.reset()
            what = f"a web page (login, licence or quota?): {head[:80]!r}" if page else "nothing"
            raise GiveUp(f"sends {what} instead of {self.slot.name}")


def _check_addresses(urls: Sequence[str]) -> None:
    if not urls:
        raise FetchError("no address to fetch from. Give at least one URL.")
    for url in urls:
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            good = False
        if not good:
            raise FetchError(f"{url!r} is not an address of the form https://host/path.")


def _mirrored(urls: Sequence[str]) -> list[str]:
    """The addresses of these files on the mirrors of DOMAINKIT_MIRROR.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, {"DOMAINKIT_MIRROR": "https://m/x, http://n"}):
        ...     _mirrored(["https://host/a/b?c=1"])
        ['https://m/x/host/a/b?c=1', 'http://n/host/a/b?c=1']
    """
    mirrors = re.split(r"[\s,]+", os.environ.get("DOMAINKIT_MIRROR", "").strip())
    found = []
    for mirror in filter(None, mirrors):
        for url in urls:
            parts = urlsplit(url)
            if not url.startswith(mirror):
                host = parts.netloc.rpartition("@")[2]
                query = f"?{parts.query}" if parts.query else ""
                found.append(f"{mirror.rstrip('/')}/{host}{parts.path}{query}")
    return found
