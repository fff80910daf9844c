"""What the errors of fsspec's many libraries mean: worth another try, or not, and what to do.

They are told apart by name and number, as the libraries that they come from may not be here.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Iterator

from domainkit.cache.sources.base import Changed, GiveUp, Retry

__all__ = ["judged"]

_ANONYMOUS = {  # what reads a public bucket without an account
    "s3": """FSSPEC_S3='{"anon": true}'""",
    "gcs": """FSSPEC_GCS='{"token": "anon"}'""",
    "azure": """FSSPEC_ABFS='{"anon": true, "account_name": "..."}'""",
}
_LOGIN = {
    "s3": "`aws configure` or AWS_PROFILE",
    "gcs": "`gcloud auth application-default login`",
    "azure": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "sftp": "an ssh key that the server knows",
}
_NO_LOGIN = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
    "TokenRetrievalError", "UnauthorizedSSOTokenError", "DefaultCredentialsError", "RefreshError",
    "ClientAuthenticationError", "AuthenticationException", "BadHostKeyException",
    "PasswordRequiredException",
}  # fmt: skip
_LINE = {
    "EndpointConnectionError", "ConnectionClosedError", "ConnectTimeoutError", "ReadTimeoutError",
    "HTTPClientError", "ResponseStreamingError", "IncompleteReadError", "ClientConnectionError",
    "ClientConnectorError", "ClientOSError", "ClientPayloadError", "ServerDisconnectedError",
    "ServiceRequestError", "ServiceResponseError", "SSHException", "gaierror", "ChecksumError",
    "IncompleteRead", "ProtocolError", "ChunkedEncodingError",
}  # fmt: skip
_LATER = (  # the server's or the line's trouble, which passes
    errno.EBUSY, errno.EAGAIN, errno.EIO, errno.ETIMEDOUT, errno.ENETDOWN, errno.ENETUNREACH,
    errno.EHOSTUNREACH, errno.EPIPE, errno.ESTALE, getattr(errno, "EREMOTEIO", errno.EIO),
)  # fmt: skip


def judged(error: Exception, extra: str) -> Retry | GiveUp:
    """What to raise in place of an error of one of those libraries.

    Args:
        extra: the extra of domainkit that the library came with.

    Example:
        >>> judged(PermissionError("Forbidden"), "sftp")
        GiveUp('access is denied (Forbidden). Log in by an ssh key that the server knows')
    """
    chain = list(_chain(error))
    names = {type(one).__name__ for one in chain}
    said = " ".join(f"{error}".split()) or type(error).__name__
    code = next(filter(None, map(_code, chain)), 0)
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in chain):
        return GiveUp(f"the server's certificate is not valid ({said})")
    if isinstance(error, FileNotFoundError):
        return GiveUp("there is no such file, or it may not be seen without a login")
    if isinstance(error, (IsADirectoryError, NotADirectoryError)):
        return GiveUp("is a folder, expected a file in it")
    if isinstance(error, PermissionError) or names & _NO_LOGIN or code in (401, 403):
        return GiveUp(f"access is denied ({said}). {_advice(extra)}")
    if "FileExpired" in names:
        return Changed("changed while it was read")
    passing = (ConnectionError, TimeoutError, asyncio.TimeoutError, EOFError)
    if isinstance(error, passing) or names & _LINE or code >= 500 or code in (408, 429):
        return Retry(f"connection failed: {said}")
    later = isinstance(error, OSError) and (error.errno is None or error.errno in _LATER)
    return Retry(said) if later else GiveUp(f"{type(error).__name__}: {said}")


def _advice(extra: str) -> str:
    login = _LOGIN.get(extra, "what its file system in fsspec wants")
    more = f"; for a public bucket set {_ANONYMOUS[extra]}" if extra in _ANONYMOUS else ""
    return f"Log in by {login}{more}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _code(error: BaseException) -> int:
    """The HTTP status in an error, under any of the names that those libraries give it."""
    for name in ("code", "status", "status_code"):
        code = getattr(error, name, None)
        if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()):
            return int(code)
    return 0
