"""Every error domainkit raises on purpose, as one tree.

    DomainkitError
    ├── CardError               a card or recipe file is malformed
    ├── NotFoundError           no dataset, split, model, recipe or column of that name
    ├── FetchError              a file could not be fetched
    │   ├── OfflineError        ... because DOMAINKIT_OFFLINE is set and the cache lacks the file
    │   ├── DigestError         ... because the bytes are not the ones the card promises
    │   └── ManualError         ... because a person has to fetch it (licence, login)
    ├── ArchiveError            an archive is damaged, or a member of it is unsafe
    ├── StoreError              a prepared dataset on disk is damaged or of another layout
    ├── ReaderError             a published file is not laid out as its reader expects
    ├── DecodeError             a stored image, recording or text cannot be decoded
    ├── TransformError          a transform got the wrong type, dtype, shape or range
    ├── StateError              a loader state does not belong to this loader
    └── MissingExtraError       an optional library is needed; the message names the extra

Each message says what was expected, what came, and what to do. The command line prints the
message alone and exits with 1 (or 2 where the call itself was wrong).

Example:
    >>> from domainkit.errors import DomainkitError, NotFoundError
    >>> issubclass(NotFoundError, DomainkitError)
    True
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ArchiveError",
    "CardError",
    "DecodeError",
    "DigestError",
    "DomainkitError",
    "FetchError",
    "ManualError",
    "MissingExtraError",
    "NotFoundError",
    "OfflineError",
    "ReaderError",
    "StateError",
    "StoreError",
    "TransformError",
    "nearest",
]


class DomainkitError(Exception):
    """The root of the tree: catch this to catch everything domainkit raises on purpose."""

    exit_code = 1  # what the command line exits with


class CardError(DomainkitError):
    """A card or recipe file is malformed: names the file and the field."""


class NotFoundError(DomainkitError, KeyError):
    """No dataset, split, model, recipe or column of that name: offers the nearest ones."""

    exit_code = 2

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0]) if self.args else ""


class FetchError(DomainkitError, OSError):
    """A file could not be fetched: names the URL, the reason and what to do."""


class OfflineError(FetchError):
    """The file is not in the cache and DOMAINKIT_OFFLINE forbids fetching it."""


class DigestError(FetchError):
    """The bytes are not the promised ones: names the expected and the actual digest."""


class ManualError(FetchError):
    """A person has to fetch this file: says from where and where to put it."""


class ArchiveError(DomainkitError):
    """An archive is damaged, or one of its members is unsafe: names the member."""


class StoreError(DomainkitError):
    """A prepared dataset on disk is damaged or of another layout version."""


class ReaderError(DomainkitError):
    """A published file is not laid out as its reader expects."""


class DecodeError(DomainkitError):
    """A stored image, recording or text cannot be decoded: names the sample when known."""


class TransformError(DomainkitError, ValueError):
    """A transform got the wrong type, dtype, shape or range, or was built with wrong arguments."""


class StateError(DomainkitError):
    """A loader state does not belong to this loader: says what differs."""


class MissingExtraError(DomainkitError, ImportError):
    """An optional library is needed: the message names the extra to install."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the names in ``known`` closest to ``name``.

    Returns ``"Did you mean 'a' or 'b'?"``, or, when nothing is close, ``"Known: ..."`` with up to
    ten names.

    Example:
        >>> nearest("vision/mnits", ["vision/mnist", "text/imdb"])
        "Did you mean 'vision/mnist'?"
        >>> nearest("zzz", ["vision/mnist", "text/imdb"])
        'Known: text/imdb, vision/mnist.'
    """
    names = sorted(known)
    folded = {n.lower(): n for n in names}
    wanted = name.lower()
    close = [folded[n] for n in difflib.get_close_matches(wanted, folded, n=3, cutoff=0.6)]
    if not close and wanted:  # "MNIST" should find "vision/mnist"
        ends = [n for low, n in folded.items() if low.split("/")[-1] == wanted]
        close = (ends or [n for low, n in folded.items() if wanted in low])[:3]
    if close:
        return "Did you mean " + " or ".join(repr(n) for n in close) + "?"
    shown = ", ".join(names[:10])
    return f"Known: {shown}{', ...' if len(names) > 10 else ''}." if names else "None are known."
