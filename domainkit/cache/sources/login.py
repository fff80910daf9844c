"""Names and passwords for servers, from ``.netrc``. Imported only when something is fetched.

The file is that of ``$NETRC``, else ``~/.netrc``, else ``~/_netrc``; none is fine. Its ``default``
entry is not used: what is asked for by a dataset card is no reason to show a stranger a password.

Python's own reader of such files takes a comment after an empty line for an error (CPython 3.11),
which is why there is one here.
"""

from __future__ import annotations

import os
import re
import warnings
from base64 import b64encode
from collections.abc import Generator, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import httpx

from domainkit.errors import FetchError

__all__ = ["Login", "auth"]

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^\s\\]|\\.)+)')


class Login(httpx.Auth):
    """Adds a server's name and password to what is asked of it, and of no other.

    A request that has an Authorization header keeps it; one whose address has a name and password
    (``https://name:password@host/``) is sent with those.

    Args:
        hosts: host -> what its entry says: ``login`` (or ``user``, ``account``) and ``password``.
    """

    def __init__(self, hosts: Mapping[str, Mapping[str, str]]) -> None:
        self._hosts = hosts

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if "Authorization" not in request.headers:
            name, password = self._of(request.url)
            if password:
                pair = f"{name}:{password}".encode(errors="surrogateescape")
                request.headers["Authorization"] = f"Basic {b64encode(pair).decode('ascii')}"
        yield request

    def _of(self, url: httpx.URL) -> tuple[str, str]:
        if url.userinfo:
            return url.username, url.password
        entry = self._hosts.get(url.host, {})
        names = (entry.get(key, "") for key in ("login", "user", "account"))
        return next(filter(None, names), ""), entry.get("password", "")


def auth() -> Login | None:
    """What ``.netrc`` knows; None where there is no such file.

    One that is not understood is left alone, with a RuntimeWarning that names the line: most files
    need no login.

    Raises:
        FetchError: there is one that cannot be read.
    """
    file = _file()
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise FetchError(
            f"{file}: cannot be read ({error.strerror}). Allow reading it, or set NETRC to another "
            "file."
        ) from error
    try:
        return Login(_read(text, file))
    except _MalformedError as error:
        _warn(str(error))
        return None


@lru_cache(maxsize=8)
def _warn(text: str) -> None:
    """Says it once in the life of the process, however many files are fetched."""
    warnings.warn(text, RuntimeWarning, stacklevel=3)


def _file() -> Path | None:
    """The file to read; $NETRC leaves no other to look for."""
    chosen = os.environ.get("NETRC", "")
    names = [chosen] if chosen else ["~/.netrc", "~/_netrc"]
    paths = (Path(os.path.expanduser(name)) for name in names)
    return next((path for path in paths if path.is_file()), None)


def _read(text: str, file: Path) -> dict[str, dict[str, str]]:
    """Host -> its entry. Of two entries for one host the later counts."""
    hosts: dict[str, dict[str, str]] = {}
    entry: dict[str, str] | None = None
    waiting = ""  # the keyword whose value comes next
    macro = False  # macros end with an empty line, and are of no use here
    number = 0
    for number, line in enumerate(text.splitlines(), 1):
        if macro:
            macro = bool(line.strip())
            continue
        for raw, word in _words(line):
            if waiting == "machine":
                entry = hosts[word] = {}
                waiting = ""
            elif waiting and entry is not None:
                entry[waiting] = word
                waiting = ""
            elif raw.startswith("#"):
                break
            elif raw == "macdef":
                macro = True
                break
            elif raw == "default":
                entry = {}
            elif raw == "machine" or (raw in _VALUES and entry is not None):
                waiting = raw
            else:  # not shown: it may be a password
                raise _malformed(file, number, "a word that is no keyword")
    if waiting:
        raise _malformed(file, number, f"nothing after {waiting!r}")
    return hosts


_VALUES = ("login", "user", "account", "password")


def _words(line: str) -> Iterator[tuple[str, str]]:
    """Each word as it stands there, and without its quotes and backslashes."""
    for found in _WORD.finditer(line):
        yield found[0], re.sub(r"\\(.)", r"\1", found[2] if found[1] is None else found[1])


class _MalformedError(ValueError):
    """The file is not understood."""


def _malformed(file: Path, line: int, what: str) -> _MalformedError:
    return _MalformedError(
        f"{file}, line {line}: {what}. Expected `machine <host> login <name> password <password>`; "
        "mend the line, or set NETRC to another file. Until then no login of it is used."
    )
