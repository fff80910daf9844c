"""A file at an http(s) address: one request, its redirects, and what its answer is worth.

Hugging Face (``hf://``) and Google Drive are reached this way too; their own files say what is
special about them. Ranges and conditions follow RFC 9110, a digest sent along RFC 9530.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime

import httpcore
import httpx

from domainkit.cache.mirrors import without_login
from domainkit.cache.sources import google_drive, hugging_face
from domainkit.cache.sources.base import Answer, BadRange, GiveUp, Retry
from domainkit.cache.sources.header_watch import HeaderWatch
from domainkit.cache.sources.http_client import DiscreetURL, make_client

__all__ = ["HttpSource"]

_MAX_REDIRECTS = 10
_RETRIED = {408, 425, 429}
_FOR_NOW = {502, 503, 504}  # overloaded, or not to be reached
_OF_THE_FILE = {401, 404, 407, 410, 451}  # what they say holds for the whole as for a part
_DIRECT = 1 << 20  # bytes from which on a body is worth a connection of its own
_SHORTEST = 0.001  # seconds; httpx takes none for "for ever"
_BLOCK = 1 << 18  # larger ones are slower: their memory is mapped anew each time
_TROUBLE = (  # httpcore's are what reading from the connection itself raises
    *(httpx.RequestError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError),
)
_PAGE_BYTES = 1 << 20  # a page that only leads to the file is smaller than this
_NO_COMPRESSION = {  # what stands in Content-Encoding by mistake and changes no byte
    *("", "identity", "none", "null", "binary", "raw", "7bit", "8bit", "aws-chunked", "chunked"),
    *("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1"),
}


class HttpSource:
    """One http(s), ``hf:`` or Google Drive address, with connections that are kept open.

    Certificates are checked, https never leads to http, proxies and ``.netrc`` are respected.

    Args:
        connect_timeout, read_timeout: seconds for a connection, and without a single byte.
        left: seconds until the whole fetch has to be over; no silence outlasts them.
    """

    def __init__(
        self,
        url: str,
        connect_timeout: float,
        read_timeout: float,
        left: Callable[[], float] = lambda: float("inf"),
    ) -> None:
        self.url = without_login(url)
        on_drive = google_drive.direct(url)
        self._first = hugging_face.address(url) if url.startswith("hf:") else on_drive or url
        self._hub, self._drive = hugging_face.is_hub(url), on_drive is not None
        self._headers = hugging_face.headers(url) if self._hub else {}
        self._connect_timeout, self._read_timeout, self._left = connect_timeout, read_timeout, left
        self._client = make_client(connect_timeout, read_timeout)
        self._watch = HeaderWatch()

    def close(self) -> None:
        self._client.close()

    def open(self, start: int = 0, stop: int | None = None, validator: str | None = None) -> Answer:
        headers = dict(self._headers)
        if validator is not None and not _sendable(validator):
            start, stop, validator = 0, None, None
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
            if validator is not None:
                headers["If-Range"] = validator
        with _told():
            response, digest = self._send(headers)
            try:
                return self._answer(response, start, stop, validator, digest)
            except BaseException:
                response.close()
                raise

    def _send(self, headers: dict[str, str]) -> tuple[httpx.Response, str | None]:
        """The first answer that is no redirect, and a digest that was told on the way to it."""
        request = self._client.build_request("GET", self._first, headers=headers)
        digest, passed = None, 0
        while True:
            request.url = DiscreetURL(request.url)  # httpx logs it
            with self._watch.over(request, self._limit(request)):
                response = self._client.send(request, stream=True)
            self._watch.know(response)
            if self._hub:
                digest = digest or hugging_face.digest(response.headers)
            following = response.next_request
            if following is None and self._drive and _leads_on(response):
                page = self._page(response)
                to = google_drive.next_step(page, str(httpx.URL(request.url)))
                following = self._client.build_request("GET", to, headers=headers)
            if following is None:
                return response, digest
            response.close()
            passed += 1
            if passed > _MAX_REDIRECTS:
                raise GiveUp(f"redirects more than {_MAX_REDIRECTS} times, last to {request.url}")
            if request.url.scheme == "https" and following.url.scheme != "https":
                to = str(DiscreetURL(following.url))
                raise GiveUp(f"redirects from https to {to}, which is refused")
            request = following

    def _limit(self, request: httpx.Request) -> float:
        """Seconds for all headers of an answer; no wait of the request outlasts what is left."""
        left = max(self._left(), _SHORTEST)
        connect, read = min(self._connect_timeout, left), min(self._read_timeout, left)
        timeout = httpx.Timeout(read, connect=connect).as_dict()
        request.extensions = {**request.extensions, "timeout": timeout}
        return min(self._connect_timeout + 2 * self._read_timeout, left)

    def _page(self, response: httpx.Response) -> str:
        text, until = b"", time.monotonic() + min(2 * self._read_timeout, self._left())
        for data in response.iter_bytes():
            text += data
            if len(text) > _PAGE_BYTES:
                break
            if time.monotonic() > until:
                raise Retry("sends the page before the file too slowly")
        return text.decode("utf-8", "replace")

    def _answer(
        self,
        response: httpx.Response,
        start: int,
        stop: int | None,
        validator: str | None,
        digest: str | None,
    ) -> Answer:
        code = response.status_code
        asked = "Range" in response.request.headers
        if code in _RETRIED or code >= 500:
            part = asked and code >= 500 and code not in _FOR_NOW
            raise Retry(_status(response), after=response.headers.get("Retry-After"), part=part)
        if asked and code == 416:
            raise BadRange(_status(response))
        if code == 206 and asked:
            return self._part(response, start, stop, validator, digest)
        if code != 200:
            part = asked and code not in _OF_THE_FILE
            raise GiveUp(_status(response) + self._advice(response), part)
        encoded = _encoded(response, httpx.URL(self._first))
        digest = digest or _promised(response.headers, whole=True)
        return Answer(
            chunks=_bytes(response, encoded, self._read_timeout),
            total=None if encoded else _number(response.headers.get("Content-Length")),
            validator=None if encoded else _validator(response.headers),
            ranges=not encoded and _takes_ranges(response.headers),
            framed="Content-Length" in response.headers or "Transfer-Encoding" in response.headers,
            page=_is_page(response),
            digest=None if encoded else digest,
            close=response.close,
        )

    def _part(
        self,
        response: httpx.Response,
        start: int,
        stop: int | None,
        validator: str | None,
        digest: str | None,
    ) -> Answer:
        """A 206 that begins where it was asked to, ends no later, and says so."""
        said = response.headers.get("Content-Range", "").strip()
        found = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", said)
        bad = BadRange(f"{_status(response)} with another range than asked for")
        if found is None or _encoded(response, httpx.URL(self._first)):
            raise bad
        first, last = int(found[1]), int(found[2])
        total = None if found[3] == "*" else int(found[3])
        length = _number(response.headers.get("Content-Length"))
        ends = stop if total is None or stop is None else min(stop, total)
        if (
            first != start
            or last < first
            or (ends is not None and last >= ends)
            or (total is not None and last >= total)
            or length not in (None, last - first + 1)
        ):
            raise bad
        # RFC 9110 15.3.7: every part has the tag; a date may be left out where If-Range named it
        tag, date = response.headers.get("ETag"), response.headers.get("Last-Modified")
        named = (date or validator) if validator and not validator.startswith('"') else tag
        if validator is None:
            named = _validator(response.headers)
        elif named is not None and not _sendable(named):
            named = None
        return Answer(
            chunks=_bytes(response, False, self._read_timeout),
            start=start,
            stop=last + 1,
            total=total,
            validator=named,
            ranges=True,
            digest=digest or _promised(response.headers, whole=False),
            close=response.close,
        )

    def _advice(self, response: httpx.Response) -> str:
        code = response.status_code
        if self._hub and (advice := hugging_face.advice(code, response.headers, self.url)):
            return f" ({advice})"
        if code in (401, 403):
            return " (a login or a licence to accept? See the homepage)"
        if code == 407:
            return " (the proxy wants a login: set it in HTTPS_PROXY)"
        return " (has the file moved? See the homepage)" if code in (404, 410) else ""


class _told:
    """Turns what httpx raises into Retry or GiveUp; cheap enough to stand around every read."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
            raise GiveUp(f"{error}") from error
        if isinstance(error, httpx.DecodingError):
            raise GiveUp(f"{error}") from error
        if isinstance(error, (httpx.InvalidURL, UnicodeError)):  # it may hold a part of a password
            raise GiveUp("is, or leads to, an address that is not well formed") from None
        if isinstance(error, _TROUBLE):
            if bad := _bad_certificate(error):
                raise GiveUp(f"the server's certificate is not valid ({bad})") from error
            raise Retry(_words(error)) from error


def _bytes(response: httpx.Response, encoded: bool, timeout: float) -> Iterator[bytes]:
    """The body as it comes.

    One whose length is told is read from the connection itself: that is twice as fast as through
    the HTTP parser, which has nothing left to parse then. The connection is not used again.
    """
    with _told():
        left = _number(response.headers.get("Content-Length"))
        plain = response.http_version == "HTTP/1.1" and "Transfer-Encoding" not in response.headers
        if encoded or left is None or left < _DIRECT or not plain:
            yield from _unpacked(response) if encoded else response.iter_raw()
            return
        body = response.iter_raw()  # kept: when it goes, it closes the connection
        held = next(body, b"")  # what the parser has read already
        left -= len(held)
        yield held
        stream = response.extensions["network_stream"]
        while left > 0:
            data = stream.read(min(left, _BLOCK), timeout)
            if not data:
                return
            left -= len(data)
            yield data


def _unpacked(response: httpx.Response) -> Iterator[bytes]:
    """The body without its coding; httpx would take one that breaks off for a whole one."""
    coding = _coding(response)
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise GiveUp(f"sends the file coded as {coding!r}, which nobody asked for")
    wbits = 15 if coding == "deflate" else 31
    unpack = zlib.decompressobj(wbits)
    for chunk in response.iter_raw():
        data = chunk
        while data:
            if unpack.eof:  # gzip may have several members
                unpack = zlib.decompressobj(wbits)
            try:
                yield unpack.decompress(data, _BLOCK)
            except zlib.error as error:
                raise GiveUp(f"sends what it calls {coding} and is not ({error})") from error
            data = unpack.unconsumed_tail or unpack.unused_data
    while not unpack.eof and (rest := unpack.decompress(unpack.unconsumed_tail, _BLOCK)):
        yield rest
    if not unpack.eof:
        raise Retry(f"sends {coding} without its end")


def _is_page(response: httpx.Response) -> bool:
    return "html" in response.headers.get("Content-Type", "").lower()


def _leads_on(response: httpx.Response) -> bool:
    """Whether a page of Google Drive stands before the file, and is not the file itself."""
    is_file = "attachment" in response.headers.get("Content-Disposition", "").lower()
    return _is_page(response) and not is_file


def _takes_ranges(headers: Mapping[str, str]) -> bool:
    return "bytes" in headers.get("Accept-Ranges", "").lower()


def _validator(headers: Mapping[str, str]) -> str | None:
    """What names this version for certain: a strong ETag, or a Last-Modified that is one.

    RFC 9110 8.8.2.2: a date is strong when it is at least a second before the answer's own.
    """
    tag = headers.get("ETag", "")
    if tag.startswith('"') and _sendable(tag):
        return str(tag)
    modified = headers.get("Last-Modified", "")
    try:
        before = parsedate_to_datetime(modified)
        now = parsedate_to_datetime(headers.get("Date", ""))
        strong = _sendable(modified) and (now - before).total_seconds() >= 1
        return str(modified) if strong else None
    except (TypeError, ValueError, OverflowError):
        return None


def _sendable(validator: str) -> bool:
    """Whether it can be sent back in a header."""
    return validator.isascii() and validator.isprintable()


def _promised(headers: Mapping[str, str], whole: bool) -> str | None:
    """The digest that a server sends for the whole file, whatever part it sends.

    RFC 9530's ``Repr-Digest``, Google Cloud Storage's ``x-goog-hash``, and, for a whole answer, the
    old ``Content-MD5``. Google's is that of the stored bytes, which it may unpack on the way.
    """
    said = re.findall(r"(sha-256|sha-512)=:([\w+/=]+):", headers.get("Repr-Digest", ""), re.I)
    if headers.get("x-goog-stored-content-encoding", "identity").strip().lower() == "identity":
        said += re.findall(r"(md5)=([\w+/=]+)", headers.get("x-goog-hash", ""))
    if whole and "Content-MD5" in headers:
        said.append(("md5", headers["Content-MD5"]))
    for name, text in said:
        algorithm = name.lower().replace("-", "")
        try:
            digits = base64.b64decode(text, validate=True).hex()
        except (binascii.Error, ValueError):
            continue
        if len(digits) == {"sha256": 64, "sha512": 128, "md5": 32}[algorithm]:
            return f"{algorithm}:{digits}"
    return None


def _encoded(response: httpx.Response, asked: httpx.URL) -> bool:
    """Whether the body is compressed for the way alone, though we asked for none of that.

    A ``.gz`` file sent with ``Content-Encoding: gzip`` is a widespread mistake and taken as it is.
    """
    return bool(_coding(response)) and not any(map(_names_gzip, (asked, response.url)))


def _names_gzip(url: httpx.URL) -> bool:
    """Whether a path, or a value of the query, ends as the name of a gzipped file does."""
    return any(re.search(r"\.t?gz$", one) for one in (url.path, *url.params.values()))


def _coding(response: httpx.Response) -> str:
    """How the body is compressed for the way; "" where it is not."""
    said = response.headers.get("Content-Encoding", "").lower().split(",")
    return ", ".join(one for one in map(str.strip, said) if one not in _NO_COMPRESSION)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\s*\d{1,18}\s*", text) else None


def _status(response: httpx.Response) -> str:
    return f"answers {response.status_code} {response.reason_phrase}".rstrip()


def _words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, (httpx.TimeoutException, httpcore.TimeoutException)):
        return f"sends nothing for too long ({type(error).__name__})"
    return f"connection failed: {text}"


def _bad_certificate(error: BaseException | None) -> BaseException | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None
