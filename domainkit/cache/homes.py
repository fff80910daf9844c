"""Which folders are caches: one that is written, any number that are read, each of one layout."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from pathlib import Path

from domainkit.cache.files import make_folder, read_json, sync_folder, write_json
from domainkit.errors import FetchError

__all__ = ["LAYOUT", "check_layout", "has_mark", "home", "mark_layout", "shared_homes"]

LAYOUT = 2
_FIRST_LAYOUT = ("md5", "sha256", "sha512", "url")  # folders in files/ before there were layouts


def home() -> Path:
    """The cache folder: ``$DOMAINKIT_HOME``, else ``domainkit`` in the platform's cache folder.

    Example:
        >>> import os
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, {"DOMAINKIT_HOME": "/data/cache"}):
        ...     home().as_posix()
        '/data/cache'
    """
    chosen = os.environ.get("DOMAINKIT_HOME", "").strip()
    if chosen:
        return _folder("DOMAINKIT_HOME", chosen)
    from platformdirs import user_cache_path

    return user_cache_path("domainkit", appauthor=False)


def _folder(variable: str, text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise FetchError(
            f"{variable}={text}: there is no such user's folder. Set it to a folder, or unset it."
        ) from error


def shared_homes() -> list[Path]:
    """The cache folders of ``DOMAINKIT_SHARED``: looked into after ``home()``, never written.

    One that cannot be entered is passed over with a warning: what it has can be fetched.

    Raises:
        FetchError: one of them is of another layout.
    """
    mine, found = home(), []
    for part in os.environ.get("DOMAINKIT_SHARED", "").split(os.pathsep):
        if not part.strip():
            continue
        base = _folder("DOMAINKIT_SHARED", part.strip())
        if base == mine:
            continue
        try:
            _check(base)
        except FetchError:  # of another layout
            raise
        except OSError as error:
            _warn_once(str(base), str(error))
        else:
            found.append(base)
    return found


def check_layout(base: Path) -> None:
    """Refuses a cache folder that another release laid out in another way.

    Raises:
        FetchError: says which release, or that the folder cannot be entered, and what to do.
    """
    try:
        _check(base)
    except FetchError:
        raise
    except OSError as error:
        raise FetchError(
            f"{base}: cannot be entered ({error}). Allow reading there, or set DOMAINKIT_HOME to "
            "another folder."
        ) from error


def has_mark(base: Path) -> bool:
    """Whether a folder says that it is a cache; one of another making does not."""
    try:
        os.stat(base / "layout.json")
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _check(base: Path) -> None:
    mark = base / "layout.json"
    if has_mark(base):
        found = (read_json(mark) or {}).get("layout")
        if found == LAYOUT:
            return
        writer = (read_json(mark) or {}).get("written_by", "another domainkit")
        if isinstance(found, int) and found > LAYOUT:
            raise FetchError(
                f"{base}: was made by {writer} with cache layout {found}, this domainkit reads "
                f"layout {LAYOUT}. Upgrade domainkit, or set DOMAINKIT_HOME to another folder."
            )
        raise FetchError(
            f"{mark}: cannot be understood (expected layout {LAYOUT}, got {found!r}). Set "
            "DOMAINKIT_HOME to another folder, or remove this one."
        )
    files = base / "files"
    if any(_has(files / kind, "*/*/.domainkit.json") for kind in _FIRST_LAYOUT):
        raise FetchError(
            f"{base}: has cache layout 1 of an earlier domainkit, this one reads layout {LAYOUT}. "
            f"Remove {files} (what was prepared stays usable), or set DOMAINKIT_HOME to another "
            "folder."
        )


def mark_layout(base: Path) -> None:
    """Makes a cache folder ready to be written: its layout is ours, and says so.

    Raises:
        FetchError: the folder is of another layout.
        OSError: it cannot be written.
    """
    check_layout(base)
    mark = base / "layout.json"
    if not has_mark(base):
        from domainkit import __version__

        make_folder(base)
        write_json(mark, {"layout": LAYOUT, "written_by": f"domainkit {__version__}"})
        sync_folder(base)


@lru_cache(maxsize=64)
def _warn_once(folder: str, reason: str) -> None:
    warnings.warn(
        f"{folder}: cannot be entered ({reason}), so nothing of this shared cache is used. Allow "
        "reading there, or take it out of DOMAINKIT_SHARED.",
        RuntimeWarning,
        stacklevel=3,
    )


def _has(folder: Path, pattern: str) -> bool:
    return folder.is_dir() and next(folder.glob(pattern), None) is not None
