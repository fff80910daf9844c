"""Files shared by Google Drive: the address that gives the bytes, and what its web pages mean.

Drive has no plain address for a file. A shared link shows a page; the download address gives the
bytes of a small file at once, and for a large one a page first that says it was not scanned for
viruses, with a form (earlier: a link) that asks for a confirmation. ``direct`` makes the download
address of any link, confirmed from the start; ``next_step`` reads the pages that still come.

Nothing of this is documented by Google. The pages are those that gdown, torchvision and others
have reported since 2015, the form with ``uuid`` being the one in use since January 2024.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from domainkit.cache.sources.base import GiveUp

__all__ = ["direct", "next_step"]

_DOWNLOAD = "https://drive.usercontent.google.com/download"
_HOSTS = ("drive.google.com", "docs.google.com", "drive.usercontent.google.com")
_ID = re.compile(r"[\w-]+", re.ASCII)
# /file/d/<id>/view, also with the number of an account or the name of an organisation before it
_FILE = re.compile(r"(?:/a/[^/]+)?/file(?:/u/\d+)?/d/([^/]+)(?:/.*)?")
_QUERY = re.compile(r"(?:/a/[^/]+)?(?:/u/\d+)?/(?:uc|open|download)")
_FOLDER = re.compile(r"(?:/a/[^/]+)?/drive(?:/u/\d+)?/(?:mobile/)?folders/.*")

# What the pages say (in English; others are shown as they are) and what to do about it.
_TELLING = (
    (
        ("quota exceeded", "too many users have viewed or downloaded", "download quota for this"),
        "too many people fetched this file from Google Drive lately. Try again in 24 hours, or "
        "fetch it in a browser where you are signed in to Google (a copy in your own Drive has a "
        "quota of its own) and give it by `domainkit download NAME --from FILE`",
    ),
    (
        ("infected with a virus", "malware or spam", "violation of our terms"),
        "Google Drive has blocked this file as harmful. Ask its owner, or look at the homepage for "
        "another address",
    ),
    (
        ("does not exist", "error 404", "not found", "has been deleted", "in the trash"),
        "there is no such file on Google Drive (any more). See the homepage for its new address",
    ),
    (
        ("sign in", "sign-in", "need access", "request access", "need permission", "access denied"),
        "this file on Google Drive is not shared with everybody. Ask its owner to share it with "
        "anyone who has the link, or fetch it in a browser where you are signed in and give it by "
        "`domainkit download NAME --from FILE`",
    ),
)


def direct(url: str) -> str | None:
    """The address that gives the bytes of a file that is shared by a link; None for other links.

    Example:
        >>> direct("https://drive.google.com/file/d/1AbC/view?usp=sharing")
        'https://drive.usercontent.google.com/download?id=1AbC&export=download&confirm=t'
        >>> direct("https://example.org/file/d/1AbC/view")
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname not in _HOSTS:
        return None
    if _FOLDER.fullmatch(parts.path):
        return url  # whose page next_step explains
    query = parse_qs(parts.query)
    named = _FILE.fullmatch(parts.path)
    if named:
        key = named[1]
    elif _QUERY.fullmatch(parts.path):
        key = query.get("id", [""])[0]
    else:
        return None
    if not _ID.fullmatch(key):
        return None
    wanted = {"id": key, "export": "download", "confirm": "t"}
    if "resourcekey" in query:  # links made before September 2021 do not work without
        wanted["resourcekey"] = query["resourcekey"][0]
    return f"{_DOWNLOAD}?{urlencode(wanted)}"


def next_step(page: str, url: str) -> str:
    """The address to ask after Drive answered ``url`` with a web page.

    Raises:
        GiveUp: the page leads to no file; says why and what to do.
    """
    parts = urlsplit(url)
    if _FOLDER.fullmatch(parts.path):
        raise GiveUp("this is a folder on Google Drive. Give the link of each file in it")
    read = _Page()
    read.feed(page)
    read.close()
    found = read.confirmation()
    if found is None or parts.hostname == "accounts.google.com":
        raise GiveUp(_told(read, parts.hostname or ""))
    action, fields = found
    target = urlsplit(urljoin(url, action))
    asked = dict(parse_qsl(parts.query))
    query = dict(parse_qsl(target.query)) | fields
    if "resourcekey" in asked:
        query.setdefault("resourcekey", asked["resourcekey"])
    if not _may_ask(target.scheme, target.hostname or "", parts.scheme, parts.hostname or ""):
        raise GiveUp(f"its page on Google Drive leads away to {target.hostname}, which is refused")
    if query.get("id", asked.get("id")) != asked.get("id", query.get("id")):
        raise GiveUp("its page on Google Drive leads to another file, which is refused")
    if "uuid" in asked or asked.get("confirm", "t") != "t":
        raise GiveUp("Google Drive asks for the same confirmation again and again. Try later")
    return urlunsplit(target._replace(query=urlencode(query), fragment=""))


class _Page(HTMLParser):
    """The forms and links of a page, and the words that a reader sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.error = ""  # what stands in its uc-error-caption and uc-error-subcaption
        self.words: list[str] = []
        self._forms: list[tuple[dict[str, str], dict[str, str]]] = []
        self._links: list[dict[str, str]] = []
        self._in_form = False
        self._inside = ""  # the last tag that says what the words in it are

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._forms.append((known, {}))
            self._in_form = True
        elif tag == "input" and self._in_form and known.get("type", "").lower() == "hidden":
            self._forms[-1][1][known.get("name", "")] = known.get("value", "")
        elif tag == "a":
            self._links.append(known)
        if tag in ("script", "style", "title"):
            self._inside = tag
        elif known.get("class", "").startswith("uc-error") or known.get("id") == "uc-error-caption":
            self._inside = "error"

    def handle_endtag(self, tag: str) -> None:
        self._in_form &= tag != "form"
        if tag in (self._inside, "p", "div"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.title += data
        elif self._inside == "error":
            self.error += data
        if self._inside not in ("script", "style"):
            self.words.append(data)

    def confirmation(self) -> tuple[str, dict[str, str]] | None:
        """Where the page's confirmation leads: an address and what its form adds to that."""
        for form, fields in self._forms:
            action = form.get("action", "")
            by_name = form.get("id") in ("download-form", "downloadForm")
            if action and (by_name or "confirm" in fields):
                return action, {name: value for name, value in fields.items() if name}
        for link in self._links:
            if re.search(r"[?&]confirm=[^&]", link.get("href", "")):
                return link["href"], {}
        return None


def _may_ask(scheme: str, host: str, from_scheme: str, from_host: str) -> bool:
    own = host.endswith((".google.com", ".googleusercontent.com"))
    secure = scheme == "https" or (from_scheme == "http" and scheme == "http")
    return secure and (own or host == from_host)


def _told(page: _Page, host: str) -> str:
    """What a page without a way on means, in our words where they are known."""
    said = " ".join((page.error or page.title).split())
    seen = " ".join([page.title, page.error, *page.words]).lower()
    if host == "accounts.google.com":
        seen = "sign in"
    for phrases, meaning in _TELLING:
        if any(phrase in seen for phrase in phrases):
            return meaning
    shown = f", {said[:200]!r}" if said else ""
    return f"Google Drive answers with a web page{shown}. Open the address in a browser to see why"
