"""Where files come from: one module per kind of address, all handing out bytes the same way.

http(s):                   http, and google_drive for what is special about Drive's links
hf:                        hugging_face, over http
file:                      local_file
s3:, gs:, az:, sftp: ...   remote, over fsspec, with the extra that it needs
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from domainkit.cache.mirrors import without_login
from domainkit.cache.policy import Policy
from domainkit.errors import FetchError

if TYPE_CHECKING:
    from domainkit.cache.sources.base import Source

__all__ = ["check_address", "is_local", "open_source"]

_WITHOUT_HOST = ("file", "memory")


def check_address(url: str) -> None:
    """Raises FetchError where ``url`` is no address that ``open_source`` could take."""
    try:
        parts = urlsplit(url)
        good = len(parts.scheme) > 1 and (bool(parts.netloc) or parts.scheme in _WITHOUT_HOST)
        _ = parts.port  # a ValueError where it is no number
    except ValueError:
        good = False
    if not good or parts.scheme == "ftp":
        shown = without_login(url)
        if "://" not in shown:  # what stands before an @ may be a password all the same
            shown = shown.rpartition("@")[2]
        raise FetchError(
            f"{shown!r} is not an address that can be fetched. Expected https://host/path, "
            "hf://owner/repo/path, file:///path, or s3://bucket/path and the like."
        )


def is_local(url: str) -> bool:
    """Whether an address needs no network."""
    return urlsplit(url).scheme == "file"


def open_source(url: str, policy: Policy, until: float | None = None) -> Source:
    """The source of an address, to be closed when done; nothing is asked of it yet.

    Args:
        until: when the fetch has to be over, on the policy's monotonic clock; None for never.

    Raises:
        FetchError: the address is not well formed.
        MissingExtraError: it needs a library that is not installed; names the extra.
    """

    def left() -> float:
        return float("inf") if until is None else until - policy.monotonic()

    scheme = urlsplit(url).scheme
    if scheme in ("http", "https", "hf"):
        from domainkit.cache.sources.http import HttpSource

        return HttpSource(url, policy.connect_timeout, policy.read_timeout, left)
    if scheme == "file":
        from domainkit.cache.sources.local_file import FileSource

        return FileSource(url)
    from domainkit.cache.sources.patience import Patience
    from domainkit.cache.sources.remote import FsspecSource

    return FsspecSource(url, patience=Patience(policy.read_timeout, left))
