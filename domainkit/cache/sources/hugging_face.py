"""Files of the Hugging Face hub by repository and revision: which web address, login and digest.

``hf://datasets/<owner>/<repo>[@<revision>]/<path>``, the same with ``spaces`` and ``kernels``,
``hf://[models/]<owner>/<repo>[@<revision>]/<path>`` and ``hf://buckets/<owner>/<name>/<path>`` are
read as the hub's own file system reads them: the path is literal (no %20), a slash in the revision
is written %2F, and only ``refs/pr/<n>`` and ``refs/convert/<name>`` may be written with theirs.
Names without an owner are refused, as there.

Asks ``HF_ENDPOINT`` where that is set. The token is that of ``HF_TOKEN``, else of the file that
``hf auth login`` writes (``HF_TOKEN_PATH``, ``HF_HOME``); it goes to the hub and nowhere else. Who
logs in by another way (OIDC, a Colab secret) sets ``HF_TOKEN``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from domainkit.cache.mirrors import without_login
from domainkit.errors import FetchError

__all__ = ["address", "advice", "digest", "headers", "is_hub"]

_HUB = "https://huggingface.co"
_SHORT = "https://hf.co"
_KINDS = ("models", "datasets", "spaces", "kernels", "buckets")
_REF = re.compile(r"refs/(?:convert/[\w.-]+|pr/\d+)(?=/|$)")
_NAME = re.compile(r"\w(?:[\w.-]{0,94}\w)?", re.ASCII)


def address(url: str) -> str:
    """The web address of a file of the hub.

    Raises:
        FetchError: ``url`` does not name a file of a repository, or HF_ENDPOINT is no address.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, {"HF_ENDPOINT": ""}):
        ...     address("hf://datasets/stanfordnlp/imdb@refs%2Fconvert%2Fparquet/a b.parquet")
        'https://huggingface.co/datasets/stanfordnlp/imdb/resolve/refs%2Fconvert%2Fparquet/a%20b.parquet'
    """
    kind, _, rest = url.removeprefix("hf://").partition("/")
    if kind not in _KINDS:
        kind, rest = "models", url.removeprefix("hf://")
    owner, _, rest = rest.partition("/")
    name, _, path = rest.partition("/")
    name, marked, revision = name.partition("@")
    if marked:  # a revision with slashes runs on into the path
        whole = rest.partition("@")[2]
        found = _REF.match(whole)
        revision, _, path = whole.partition("/")
        if found:
            revision, path = found[0], whole[found.end() + 1 :]
    parts = path.split("/")
    if not (_NAME.fullmatch(owner) and _NAME.fullmatch(name)) or owner + "s" in _KINDS:
        raise FetchError(_not_understood(url, "it names no repository"))
    if marked and not revision:
        raise FetchError(_not_understood(url, "nothing comes after the @"))
    if not path or not parts[-1]:
        raise FetchError(_not_understood(url, "it names no file of the repository"))
    if any(part in ("", ".", "..") for part in parts):
        raise FetchError(_not_understood(url, "a part of the path is empty, . or .."))
    if kind == "buckets" and marked:
        raise FetchError(_not_understood(url, "a bucket has no revisions"))
    place = f"{owner}/{name}" if kind == "models" else f"{kind}/{owner}/{name}"
    version = "" if kind == "buckets" else quote(unquote(revision) or "main", safe="") + "/"
    return f"{_endpoint()}/{place}/resolve/{version}{quote(path)}"


def is_hub(url: str) -> bool:
    """Whether an address is answered by the hub itself, not by a mirror or what it redirects to.

    Example:
        >>> is_hub("https://huggingface.co/a/b/resolve/main/c"), is_hub("https://example.org/c")
        (True, False)
    """
    if url.startswith("hf://"):
        return True
    asked = urlsplit(url)
    hubs = (urlsplit(hub) for hub in (os.environ.get("HF_ENDPOINT", "").strip(), _HUB, _SHORT))
    return any((asked.scheme, asked.netloc) == (hub.scheme, hub.netloc) for hub in hubs)


def headers(url: str) -> dict[str, str]:
    """What to send along to get at private and gated files; nothing where ``url`` is not the hub's.

    Args:
        url: an ``hf://`` one, or the web address that is asked.

    Raises:
        FetchError: what is set as the token cannot be one.
    """
    token = _token() if is_hub(url) else None
    return {"Authorization": f"Bearer {token}"} if token else {}


def digest(headers: Mapping[str, str]) -> str | None:
    """What one answer of the hub says the file's sha256 is: ``"sha256:<hex>"``, or None.

    The hub names a large file by its sha256, in the redirect that leads to it, and a small one by
    its git blob's sha1, which tells nothing of the bytes alone. What a redirect leads to is another
    server with tags of its own kind, so that an ETag counts only beside the hub's own marks.

    Example:
        >>> digest({"X-Linked-Etag": '"' + 64 * "0" + '"'}) == "sha256:" + 64 * "0"
        True
        >>> digest({"ETag": '"7b2e21e16d8803ced5e632e2f654200194bd21fc"', "X-Repo-Commit": "x"})
    """
    known = {key.lower(): value for key, value in headers.items()}
    tag = known.get("x-linked-etag") or (known.get("etag") if "x-repo-commit" in known else None)
    found = re.fullmatch(r'(?:W/)?"?([0-9a-fA-F]{64})"?', (tag or "").strip())
    return f"sha256:{found[1].lower()}" if found else None


def advice(code: int, headers: Mapping[str, str], url: str) -> str | None:
    """What to do about an answer 401, 403 or 404 of the hub; None where it says nothing of use.

    Args:
        headers: those of the answer.
        url: an ``hf://`` one, or the web address that was asked.
    """
    if code not in (401, 403, 404) or not is_hub(url):
        return None
    known = {key.lower(): value for key, value in headers.items()}
    error, message = known.get("x-error-code", ""), known.get("x-error-message", "").strip()
    page = address(url) if url.startswith("hf://") else url
    page = without_login(page).partition("/resolve/")[0]
    tokens = "https://huggingface.co/settings/tokens"
    if error == "GatedRepo":
        sent = "The token that was sent has no access yet" if _token() else "No token was sent"
        return (
            f"the repository is gated. {sent}: sign in at {page}, accept its conditions there, and "
            f"set HF_TOKEN to a token of that account with read access ({tokens})"
        )
    if "invalid credentials" in message.lower() or "invalid username" in message.lower():
        return f"the token in HF_TOKEN (or of `hf auth login`) is not valid: make one at {tokens}"
    if "disabled" in message.lower():
        return f"the hub has disabled the repository, see {page}"
    if error == "EntryNotFound":
        return f"the repository has no such file in this revision, see {page}"
    if error == "RevisionNotFound":
        return f"the repository has no such revision (branch, tag or commit), see {page}"
    if error == "RepoNotFound" or code == 401:
        rest = "the token that was sent may not see it" if _token() else "set HF_TOKEN for that"
        return f"there is no such repository, or it is private ({rest}): see {page}"
    return message or None


def _endpoint() -> str:
    chosen = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/")
    if chosen and not re.match(r"https?://[^/]", chosen):
        raise FetchError(
            f"HF_ENDPOINT is {chosen!r}, expected an address like https://huggingface.co."
        )
    return chosen or _HUB


def _token() -> str | None:
    """The token of the environment, else of the file where the hub's own tools keep it."""
    if os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in ("1", "ON", "YES", "TRUE"):
        return None
    token = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN")
    where = "HF_TOKEN"
    if not token:
        where = os.environ.get("HF_TOKEN_PATH") or os.path.join(_home(), "token")
        try:
            token = _expanded(where).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
    token = token.replace("\r", "").replace("\n", "").strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise FetchError(
            f"{where} holds no token: expected letters, digits and underscores. Get one at "
            "https://huggingface.co/settings/tokens"
        )
    return token or None


def _home() -> str:
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return os.environ.get("HF_HOME") or os.path.join(caches, "huggingface")


def _expanded(path: str) -> Path:
    return Path(os.path.expandvars(os.path.expanduser(path)))


def _not_understood(url: str, why: str) -> str:
    return (
        f"{url!r} is not understood: {why}. Expected hf://<owner>/<repo>[@<revision>]/<path> for a "
        "model, hf://datasets/<owner>/<repo>[@<revision>]/<path> for a dataset."
    )
