"""Files of object stores and other servers through fsspec: ``s3:``, ``gs:``, ``az:``, ``sftp:`` ...

fsspec and the library of the protocol are extras, imported when such an address is first asked:
``domainkit[s3]``, ``[gcs]``, ``[azure]``, ``[sftp]``, and ``[fsspec]`` for all else.

Credentials are found as those libraries find them: ``~/.aws`` and ``AWS_*``, ``gcloud auth
application-default login``, ``AZURE_STORAGE_*``, ssh keys. Any other option of theirs is fsspec's
own configuration: ``FSSPEC_S3='{"anon": true}'`` reads public buckets without an account,
``FSSPEC_S3='{"endpoint_url": "https://minio.example.org"}'`` another server of that kind (see
https://filesystem-spec.readthedocs.io/en/latest/features.html#configuration).

There is no ``kaggle:``. Most of what Kaggle gives wants an account, and rules accepted on a web
page, which no address can do. Such sets are manual ones: their card says ``kaggle datasets download
...``, and ``domainkit download NAME --from FOLDER`` takes what that brought.
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import IO, Any
from urllib.parse import urlsplit

from domainkit.cache.mirrors import without_login
from domainkit.cache.sources.base import Answer, Changed, GiveUp, Retry
from domainkit.cache.sources.patience import Patience
from domainkit.cache.sources.remote_errors import judged
from domainkit.errors import FetchError, MissingExtraError

__all__ = ["FsspecSource"]

_EXTRAS = {
    "s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure",
    "abfss": "azure", "sftp": "sftp", "ssh": "sftp",
}  # fmt: skip
_VERSIONS = ("ETag", "etag", "generation", "md5Hash", "VersionId", "version_id", "content_md5")
_BLOCK = 2 << 20  # bytes that one request asks for ahead of the reading


class FsspecSource:
    """One address of a file system that fsspec knows.

    Args:
        chunk: bytes that are handed out at a time.
        patience: how long one call of the library may take; None for as long as it likes.

    Raises:
        MissingExtraError: fsspec, or the library of the protocol, is not installed.
        FetchError: fsspec knows no such protocol.
    """

    def __init__(self, url: str, chunk: int = 1 << 20, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        parts = urlsplit(url)
        self._scheme = parts.scheme
        self._extra = _EXTRAS.get(parts.scheme, "fsspec")
        self._asked = url
        self._chunk = chunk
        self._lock = threading.Lock()
        self._found: tuple[Any, str] | None = None
        self.url = without_login(url)
        self._check_library()

    def open(self, start: int = 0, stop: int | None = None, validator: str | None = None) -> Answer:
        try:
            files, path, file, told, version = self._patience.over(self._look)
            if told.get("type") == "directory":
                raise GiveUp("is a folder, expected a file in it")
            if validator is not None and validator != version:
                start, stop = 0, None
            whole = told.get("contentEncoding") != "gzip"  # else it is unpacked on the way
            total = told.get("size") if whole else None
            return Answer(
                chunks=self._read(file, path, version, start, stop),
                start=start,
                stop=stop,
                total=total,
                validator=version if whole else None,
                # the others' connections are not made for several threads
                ranges=whole and version is not None and bool(getattr(files, "async_impl", False)),
                framed=total is not None,
                digest=_digest(told) if whole else None,
                close=partial(self._patience.part, file.close),
            )
        except (Retry, GiveUp):
            raise
        except Exception as error:
            raise judged(error, self._extra) from error

    def _look(self) -> tuple[Any, str, Any, Mapping[str, Any], str | None]:
        """The file system, the path in it, the open file, what is told of it, its version."""
        files, path = self._files()
        files.invalidate_cache(files._parent(path))  # listings that it keeps may be old
        file = files.open(path, "rb", block_size=_BLOCK)
        told = getattr(file, "details", None) or files.info(path)
        return files, path, file, told, _version(told) or _time_of(files, path, told)

    def close(self) -> None:
        """The connections are fsspec's, which keeps them for whoever comes next."""

    def _check_library(self) -> None:
        needs = f'{self.url} needs a library: pip install "domainkit[{self._extra}]"'
        try:
            import fsspec

            fsspec.get_filesystem_class(self._scheme)
        except ImportError as error:
            more = f" ({error})" if self._extra == "fsspec" else ""
            raise MissingExtraError(f"{needs}{more}") from error
        except ValueError as error:
            raise FetchError(
                f"{self.url}: {self._scheme}: is no kind of address that is known here. Expected "
                "https:, hf:, file:, s3:, gs:, az:, sftp: or another one of fsspec's."
            ) from error

    def _files(self) -> tuple[Any, str]:
        """The file system and the path in it; some connect here, so that it is done once."""
        with self._lock:
            if self._found is None:
                import fsspec

                files, path = fsspec.core.url_to_fs(self._asked)
                self._found = files, str(path)
            return self._found

    def _read(
        self, file: IO[bytes], path: str, version: str | None, start: int, stop: int | None
    ) -> Iterator[bytes]:
        over = self._patience.over
        try:
            over(partial(file.seek, start))
            while stop is None or start < stop:
                count = self._chunk if stop is None else min(self._chunk, stop - start)
                data = over(partial(file.read, count))
                if not data:
                    break
                start += len(data)
                yield data
            # S3 is asked If-Match
            now = version if self._extra == "s3" else over(partial(self._now, path))
        except (Retry, GiveUp):
            raise
        except Exception as error:
            raise judged(error, self._extra) from error
        if None not in (version, now) and now != version:
            raise Changed("changed while it was read")

    def _now(self, path: str) -> str | None:
        files = self._files()[0]
        files.invalidate_cache(files._parent(path))
        told = files.info(path)
        return _version(told) or _time_of(files, path, told)


def _version(told: Mapping[str, Any]) -> str | None:
    """What names the version in what a file system tells of a file; None where nothing does."""
    for key in _VERSIONS:
        value = told.get(key)
        text = value.hex() if isinstance(value, (bytes, bytearray)) else str(value or "")
        if text and not text.startswith("W/"):
            bare = text.replace('"', "")
            return f'"{key.lower()}-{bare}"'
    return None


def _time_of(files: Any, path: str, told: Mapping[str, Any]) -> str | None:
    """The same from the time of change, as long as a change would be another time."""
    when = next((told[k] for k in ("mtime", "modified", "updated", "created") if told.get(k)), None)
    try:
        when = files.modified(path) if when is None else when
    except (NotImplementedError, KeyError, AttributeError):
        return None
    if isinstance(when, datetime):
        when = when.timestamp()
    if not isinstance(when, (int, float)):
        return None
    if float(when).is_integer() and time.time() - when < 2:
        return None  # it may change once more within that second
    return f'"time-{when!r}-{told.get("size")}"'


def _digest(told: Mapping[str, Any]) -> str | None:
    """The md5 that Google (``md5Hash``) and Azure (``content_md5``) tell of a whole file.

    The ETag of S3 is one only for some files, and nothing says for which.
    """
    value = told.get("md5Hash") or told.get("content_md5") or b""
    try:
        raw = base64.b64decode(value, validate=True) if isinstance(value, str) else bytes(value)
    except (binascii.Error, TypeError, ValueError):
        return None
    return f"md5:{raw.hex()}" if len(raw) == 16 else None
