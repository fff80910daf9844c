"""The httpx client of a source, as the environment wants it, with errors that name the variable.

httpx takes proxies and certificates from the environment, and tells of what is wrong there by many
kinds of errors, and by values that may hold a password.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

import httpx

from domainkit.cache.mirrors import without_login
from domainkit.cache.sources import login
from domainkit.errors import FetchError, MissingExtraError

__all__ = ["DiscreetURL", "make_client"]


class DiscreetURL(httpx.URL):
    """An address that is asked as it is, and shown (in httpx's log too) without its secrets.

    Example:
        >>> print(DiscreetURL("https://me:secret@host/a?sig=secret"))
        https://host/a?sig=...
    """

    def __str__(self) -> str:
        return without_login(super().__str__())


def make_client(connect_timeout: float, read_timeout: float) -> httpx.Client:
    """A client that checks certificates, follows no redirect and knows ``.netrc`` and the proxies.

    Args:
        connect_timeout, read_timeout: seconds for a connection, and without a single byte.

    Raises:
        FetchError: a variable of the environment cannot be used; names it.
        MissingExtraError: a SOCKS proxy is set, and its library is not installed.
    """
    from domainkit import __version__

    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    verify, auth = _certificates(file, folder), login.auth()
    try:
        return httpx.Client(
            timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
            headers={"User-Agent": f"domainkit/{__version__}", "Accept-Encoding": "identity"},
            auth=auth,
            verify=verify,
            follow_redirects=False,
        )
    except ImportError as error:
        raise MissingExtraError(
            'the SOCKS proxy that is set needs a library: pip install "httpx[socks]"'
        ) from error
    except (httpx.InvalidURL, ValueError):  # whose words may hold the proxy's password
        raise FetchError(
            "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY or NO_PROXY is set to what cannot be used. "
            "Expected http://host:port, https://host:port or socks5://host:port for a proxy, and "
            "host names with commas between for NO_PROXY."
        ) from None


@lru_cache(maxsize=4)
def _certificates(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Whom to trust, read once for all fetches: it takes 30 ms."""
    name, value = ("SSL_CERT_FILE", file) if file else ("SSL_CERT_DIR", folder)
    try:
        if value and not file and not any(map(os.path.isdir, value.split(os.pathsep))):
            raise FileNotFoundError("there is no such folder")
        return httpx.create_ssl_context()
    except (OSError, ValueError) as error:
        if not value:
            raise FetchError(
                f"the certificates of certifi cannot be read ({error}). Install certifi again, or "
                "set SSL_CERT_FILE."
            ) from error
        wanted = "a file of PEM certificates" if file else "a folder of PEM certificates"
        raise FetchError(
            f"{name}={value}: cannot be used ({error}). Expected {wanted}; set it right, or "
            "unset it."
        ) from error
