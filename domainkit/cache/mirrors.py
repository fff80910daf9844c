"""Addresses: the same file on a mirror, and an address fit to be shown."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from domainkit.errors import FetchError
from domainkit.switches import switched_on

__all__ = ["mirrored", "offline", "same_file", "without_login"]

# Parameters that hold a secret. A file may be named by `key=`: only what is long and has no dot or
# slash in it is taken for a secret there.
_SECRET = re.compile(
    r"([?&#](?:(?:[\w.~%-]*[_-])?(?:token|sig|signature|password|secret)|(?:api|access)[_-]?key"
    r"|auth|x-(?:amz|goog)-[\w-]+|awsaccesskeyid)=)[^&#]+"
    r"|([?&#]key=)(?![^&#]*(?:[./]|%2f))[^&#]{16,}",
    re.I,
)

# What signs an address for some time: the file is named by the rest of it. One parameter that tells
# the scheme, and all that belong to it.
_SIGNATURES = (
    ("x-amz-signature", re.compile(r"x-amz-[\w-]+")),
    ("x-goog-signature", re.compile(r"x-goog-[\w-]+")),
    (
        "signature",
        re.compile(r"signature|expires|awsaccesskeyid|googleaccessid|key-pair-id|policy"),
    ),
    ("sig", re.compile(r"sig|s[vetpri]|srt?|ss|spr|sip|sk[a-z]+")),
)
_TOGETHER = {"signature": "expires", "sig": "se"}  # else the word alone could mean anything


def mirrored(urls: Sequence[str]) -> list[str]:
    """The addresses of these files on the mirrors of DOMAINKIT_MIRROR, the first mirror first.

    A folder (``file:``) has no files for addresses with a query: it could not tell them apart. No
    secret is told to a mirror: signatures are left out, and an address with a token has no mirror.

    Raises:
        FetchError: a mirror is no address.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, {"DOMAINKIT_MIRROR": "https://m/x, file:///n"}):
        ...     mirrored(["https://host/a/b", "https://host/a?id=1"])
        ['https://m/x/host/a/b', 'https://m/x/host/a?id=1', 'file:///n/host/a/b']
    """
    mirrors = re.split(r"[\s,]+", os.environ.get("DOMAINKIT_MIRROR", "").strip())
    found = []
    for mirror in filter(None, mirrors):
        if "://" not in mirror or not _well_formed(mirror):
            raise FetchError(
                f"DOMAINKIT_MIRROR: {mirror.rpartition('@')[2]!r} is not an address. Expected "
                "https://host/path or file:///folder, several of them with commas between, a "
                "space in one written %20."
            )
        for url in urls:
            plain = _on_the_web(url)
            parts = urlsplit(plain)
            if plain.startswith(mirror) or parts.scheme == "file":
                continue
            if parts.query and mirror.startswith("file:"):
                continue
            host = parts.netloc.rpartition("@")[2]
            kept = _unsigned(parts.query)
            query = f"?{kept}" if kept else ""
            if _SECRET.search(query):
                continue  # it opens the publisher's door, and is nobody else's business
            found.append(f"{mirror.rstrip('/')}/{host}{parts.path}{query}")
    return found


def _well_formed(url: str) -> bool:
    try:
        _ = urlsplit(url).port
    except ValueError:
        return False
    return True


def offline() -> bool:
    """Whether DOMAINKIT_OFFLINE forbids the network.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, {"DOMAINKIT_OFFLINE": "No"}):
        ...     offline()
        False
    """
    return switched_on("DOMAINKIT_OFFLINE")


def without_login(url: str) -> str:
    """The address without the secrets in it: fit to be shown and written down.

    Taken out are the name and password of a web address, of others the password (``abfs:`` and
    ``sftp:`` need the name), and the values of parameters like ``token`` and ``X-Amz-Signature``.

    Example:
        >>> without_login("https://me:secret@host:8000/a?id=1&access_token=secret")
        'https://host:8000/a?id=1&access_token=...'
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # a ValueError where the password has a slash in it
        login, _, host = parts.netloc.rpartition("@")
        if login and parts.scheme not in ("http", "https"):
            host = f"{login.partition(':')[0]}@{host}"
        shown = urlunsplit(parts._replace(netloc=host))
    except ValueError:
        shown = re.sub(r"(?<=//).*@", "", url)
    return _SECRET.sub(lambda found: f"{found[1] or found[2]}...", shown)


def same_file(url: str) -> str:
    """Equal for the addresses of one file, whoever asks and whenever it was signed; no secret.

    A parameter like ``token`` or ``key`` may name the file. Of two addresses that differ in one it
    is only known that they are the same file's where a known kind of signature has it.

    Example:
        >>> one, two = "https://h/a?X-Amz-Date=1&X-Amz-Signature=2", "https://me@h/a"
        >>> same_file(one) == same_file(two) != same_file("https://h/a?token=1")
        True
    """
    plain = re.sub(r"(?<=//)[^/?#]*@", "", url) if url.startswith("http") else url
    path, mark, query = plain.partition("?")
    if mark:
        kept = _unsigned(query)
        plain = f"{path}?{kept}" if kept else path
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def _unsigned(query: str) -> str:
    """The query without the parameters of a known kind of signature."""
    parameters = query.split("&")
    names = [parameter.partition("=")[0].lower() for parameter in parameters]
    for told, belongs in _SIGNATURES:
        if told in names and _TOGETHER.get(told, told) in names:
            pairs = zip(names, parameters, strict=True)
            parameters = [one for name, one in pairs if not belongs.fullmatch(name)]
            names = [name for name in names if not belongs.fullmatch(name)]
    return "&".join(parameters)


def _on_the_web(url: str) -> str:
    if not url.startswith("hf:"):
        return url
    from domainkit.cache.sources import hugging_face

    return hugging_face.address(url)
