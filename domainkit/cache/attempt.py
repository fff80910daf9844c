"""One attempt to fetch the rest of a file from one address: HTTP and nothing else.

Every way it can go wrong ends in ``Retry`` (the same address may do better next time) or in
``GiveUp`` (it will not; another mirror may). Imported only when something is fetched.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import httpx

from domainkit.cache.partial import Partial

__all__ = ["GiveUp", "Retry", "looks_like_html", "open_client", "transfer"]

_MAX_REDIRECTS = 10
_RETRIED = {408, 425, 429}


class Retry(Exception):
    """Worth another try: ``after`` so many seconds where the server says, or ``at_once``."""

    def __init__(self, why: str, after: str | None = None, at_once: bool = False) -> None:
        super().__init__(why)
        self.after = after
        self.at_once = at_once


class GiveUp(Exception):
    """This address will not give the file."""


@contextmanager
def open_client(connect_timeout: float, read_timeout: float) -> Iterator[httpx.Client]:
    """A client that checks certificates and follows no redirect on its own."""
    from domainkit import __version__

    with httpx.Client(
        timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
        headers={"User-Agent": f"domainkit/{__version__}", "Accept-Encoding": "identity"},
        follow_redirects=False,
    ) as client:
        yield client


def transfer(
    client: httpx.Client, url: str, partial: Partial, size: int | None, has_digest: bool
) -> None:
    """Brings ``partial`` to its full length from ``url``, going on from where it stands.

    Args:
        size: bytes that the whole file must have, where known.
        has_digest: the caller can tell a cut file from a whole one.

    Raises:
        Retry, GiveUp: as the module says; ``partial`` keeps what is worth keeping.
    """
    headers = {}
    if partial.resumable and partial.url == url and size in (None, partial.total):
        if partial.offset == partial.total:
            return  # killed between the last byte and the rename
        headers = {"Range": f"bytes={partial.offset}-", "If-Range": str(partial.validator)}
    try:
        response = _send(client, url, headers)
        try:
            if headers and response.status_code in (206, 416):
                _go_on(response, partial)
            else:
                _start(response, url, partial, size, has_digest)
            _receive(response, partial, size)
        finally:
            response.close()
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
        raise GiveUp(f"{error}") from error
    except httpx.RequestError as error:
        if _bad_certificate(error):
            raise GiveUp(f"the server's certificate is not valid ({error})") from error
        raise Retry(_words(error)) from error


def looks_like_html(head: bytes) -> bool:
    """Whether a file begins like a web page.

    Example:
        >>> looks_like_html(b"\\n<!DOCTYPE html><html>"), looks_like_html(b"PK")
        (True, False)
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head"))


def _send(client: httpx.Client, url: str, headers: dict[str, str]) -> httpx.Response:
    """The first answer that is no redirect; from https it never leads to http."""
    request = client.build_request("GET", url, headers=headers)
    for _ in range(_MAX_REDIRECTS + 1):
        response = client.send(request, stream=True)
        following = response.next_request
        if following is None:
            return response
        response.close()
        if request.url.scheme == "https" and following.url.scheme != "https":
            raise GiveUp(f"redirects from https to {following.url}, which is refused")
        request = following
    raise GiveUp(f"redirects more than {_MAX_REDIRECTS} times, last to {request.url}")


def _start(
    response: httpx.Response, url: str, partial: Partial, size: int | None, has_digest: bool
) -> None:
    """Judges the status and headers of a whole file, and makes ``partial`` ready for it."""
    code = response.status_code
    if code in _RETRIED or code >= 500:
        raise Retry(_status(response), after=response.headers.get("Retry-After"))
    if code != 200:
        raise GiveUp(_status(response) + _advice(code))
    encoded = _encoded(response)
    length = None if encoded else _number(response.headers.get("Content-Length"))
    if size is not None and length not in (None, size):
        kind = response.headers.get("Content-Type", "")
        page = " and sends a web page (login, licence or quota?)" if "html" in kind else ""
        raise GiveUp(f"announces {length:,} bytes where {size:,} are expected{page}")
    framed = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    if not framed and size is None and not has_digest:
        raise GiveUp(
            "does not say how long the file is, so that a cut one would look whole. Give a "
            "digest or size"
        )
    validator = None if encoded else _validator(response)
    partial.begin(url, validator, size if length is None else length)


def _go_on(response: httpx.Response, partial: Partial) -> None:
    """Accepts a 206 that goes on exactly where ``partial`` ends, in the same version."""
    found = re.fullmatch(
        r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip()
    )
    if response.status_code == 206 and found is not None and not _encoded(response):
        total = partial.total if found[2] == "*" else int(found[2])
        tag = response.headers.get("ETag", partial.validator)
        same = tag == partial.validator or not str(partial.validator).startswith('"')
        fits = total is not None and partial.total in (None, total)
        if int(found[1]) == partial.offset and same and fits:
            partial.expect(total)
            return
    partial.reset()
    raise Retry(f"{_status(response)} with another range than asked for", at_once=True)


def _receive(response: httpx.Response, partial: Partial, size: int | None) -> None:
    """Appends the body; notices one that is too long or too short."""
    limit = partial.total if partial.total is not None else size
    for data in response.iter_bytes() if _encoded(response) else response.iter_raw():
        if limit is not None and partial.offset + len(data) > limit:
            partial.reset()
            raise GiveUp(f"sends more than the {limit:,} bytes expected")
        partial.append(data)
    if limit is not None and partial.offset < limit:
        raise Retry(f"connection ended after {partial.offset:,} of {limit:,} bytes")


def _validator(response: httpx.Response) -> str | None:
    """What names this version for certain: a strong ETag, or a Last-Modified that is one.

    RFC 9110 8.8.2.2: a date is strong when it is at least a second before the answer's own.
    """
    tag = response.headers.get("ETag", "")
    if tag.startswith('"'):
        return str(tag)
    modified = response.headers.get("Last-Modified")
    try:
        before = parsedate_to_datetime(modified)
        now = parsedate_to_datetime(response.headers.get("Date"))
        return modified if (now - before).total_seconds() >= 1 else None
    except (TypeError, ValueError):
        return None


def _encoded(response: httpx.Response) -> bool:
    """Whether the body is compressed for the way alone, though we asked for none of that.

    A ``.gz`` file sent with ``Content-Encoding: gzip`` is a widespread mistake and taken as it is.
    """
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    return coding not in ("", "identity") and not re.search(r"\.t?gz$", response.url.path)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _status(response: httpx.Response) -> str:
    return f"answers {response.status_code} {response.reason_phrase}".rstrip()


def _advice(code: int) -> str:
    if code in (401, 403):
        return " (a login or a licence to accept? See the homepage)"
    return " (has the file moved? See the homepage)" if code in (404, 410) else ""


def _words(error: httpx.RequestError) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return f"sends nothing for too long ({type(error).__name__})"
    return f"connection failed: {text}"


def _bad_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
