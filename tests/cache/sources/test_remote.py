"""Addresses through fsspec: ``memory:`` here, errors of the others by hand; S3 has its own file."""

from __future__ import annotations

import base64
import builtins
import errno
import hashlib
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from domainkit import cache
from domainkit.cache.sources import open_source
from domainkit.cache.sources.base import Changed, GiveUp, Retry
from domainkit.cache.sources.remote_errors import judged
from domainkit.errors import FetchError, MissingExtraError

fsspec = pytest.importorskip("fsspec")

from domainkit.cache.sources.remote import FsspecSource, _digest, _time_of, _version  # noqa: E402

DATA = bytes(range(256)) * 40
URL = "memory://bucket/a folder/a.bin"


@pytest.fixture(autouse=True)
def files():
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/a folder/a.bin", DATA)
    yield memory
    memory.rm("/bucket", recursive=True)


def read(answer):
    with answer:
        return b"".join(answer.chunks)


def test_the_whole_file():
    source = FsspecSource(URL, chunk=100)
    answer = source.open()
    chunks = list(answer.chunks)
    assert b"".join(chunks) == DATA and max(map(len, chunks)) == 100
    assert (answer.total, answer.framed, answer.digest) == (len(DATA), True, None)
    assert not answer.ranges  # all who open it share one place in it
    source.close()


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (5, 700), (9_000, None), (10_240, None)])
def test_parts_of_it(start, stop):
    answer = FsspecSource(URL, chunk=64).open(start, stop)
    assert (answer.start, answer.stop) == (start, stop)
    assert read(answer) == DATA[start:stop]


def test_a_version_is_taken_up_as_long_as_it_is_there(files):
    source = FsspecSource(URL)
    version = source.open().validator
    assert read(source.open(7, None, version)) == DATA[7:]
    files.pipe_file("/bucket/a folder/a.bin", b"something else")
    changed = source.open(7, 9, version)
    assert (changed.start, changed.stop) == (0, None) and changed.validator != version
    assert read(changed) == b"something else"


def test_a_file_that_changes_while_it_is_read_is_noticed(files):
    answer = FsspecSource(URL, chunk=100).open()
    next(answer.chunks)
    files.pipe_file("/bucket/a folder/a.bin", DATA[::-1])
    with pytest.raises(Changed, match="changed while it was read"):
        list(answer.chunks)


def test_what_is_no_file():
    with pytest.raises(GiveUp, match="there is no such file"):
        FsspecSource("memory://bucket/absent").open()
    with pytest.raises(GiveUp, match=r"is a folder|there is no such file"):
        FsspecSource("memory://bucket/a folder").open()


def test_fetch_takes_it_as_any_other(policy):
    digest = "sha256:" + hashlib.sha256(DATA).hexdigest()
    assert isinstance(open_source(URL, policy), FsspecSource)
    path = cache.fetch(URL, digest=digest, policy=policy)
    assert path.read_bytes() == DATA and path.name == "a.bin"


def test_a_kind_of_address_that_nobody_knows():
    with pytest.raises(FetchError, match="gopher: is no kind of address that is known here"):
        FsspecSource("gopher://host/a")


@pytest.mark.parametrize(
    ("url", "extra"),
    [
        ("s3://bucket/a", "s3"),
        ("gs://bucket/a", "gcs"),
        ("gcs://bucket/a", "gcs"),
        ("az://bucket/a", "azure"),
        ("abfs://bucket/a", "azure"),
        ("sftp://host/a", "sftp"),
        ("memory://a", "fsspec"),
    ],
)
def test_a_missing_library_names_the_extra(url, extra, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "fsspec":
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError) as caught:
        FsspecSource(url)
    assert f'{url} needs a library: pip install "domainkit[{extra}]"' in str(caught.value)


def test_a_missing_library_of_the_protocol(monkeypatch):
    def absent(protocol):
        raise ImportError("Install adlfs to access Azure")

    monkeypatch.setattr(fsspec, "get_filesystem_class", absent)
    with pytest.raises(MissingExtraError, match=r"pip install \"domainkit\[azure\]\""):
        FsspecSource("az://bucket/a")
    with pytest.raises(MissingExtraError, match=r"domainkit\[fsspec\]\" \(Install adlfs"):
        FsspecSource("box://bucket/a")


def test_no_password_is_shown():
    pytest.importorskip("paramiko")
    assert FsspecSource("sftp://me:secret@host/a").url == "sftp://me@host/a"


def test_fsspec_is_imported_when_asked_for():
    code = "import sys, domainkit.cache.sources.remote; print('fsspec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def named(name, base=Exception, **attributes):
    """An error class of a library that need not be here."""
    return type(name, (base,), attributes)("some words")


def caused(error, by):
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("reset"),
        TimeoutError("late"),
        EOFError(),
        socket.gaierror(-2, "Name or service not known"),
        OSError(errno.EBUSY, "SlowDown"),
        OSError(errno.EIO, "an error"),
        OSError("no number"),
        named("EndpointConnectionError"),
        named("ClientConnectorError"),
        named("HttpError", code=503),
        named("HttpError", code="429"),
        named("HttpResponseError", status_code=500),
        named("SSHException"),
        caused(named("SomeError"), named("ReadTimeoutError")),
        named("FileExpired"),
    ],
)
def test_what_passes_is_tried_again(error):
    assert isinstance(judged(error, "s3"), Retry)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError("x"), "there is no such file"),
        (IsADirectoryError("x"), "is a folder"),
        (
            PermissionError("Forbidden"),
            r"access is denied \(Forbidden\). Log in by `aws configure`",
        ),
        (named("NoCredentialsError"), "access is denied"),
        (named("HttpError", code=401), "access is denied"),
        (caused(OSError(errno.EIO, "x"), ssl.SSLCertVerificationError("y")), "certificate is not"),
        (OSError(errno.EINVAL, "InvalidBucketName"), "OSError: .*InvalidBucketName"),
        (ValueError("odd"), "ValueError: odd"),
        (named("HttpError", code=400), "HttpError: some words"),
    ],
)
def test_what_does_not_pass_is_given_up(error, told):
    verdict = judged(error, "s3")
    assert isinstance(verdict, GiveUp)
    with pytest.raises(GiveUp, match=told):
        raise verdict


@pytest.mark.parametrize(
    ("extra", "setting"),
    [("s3", """FSSPEC_S3='{"anon": true}'"""), ("gcs", """FSSPEC_GCS='{"token": "anon"}'""")],
)
def test_public_buckets_are_told_of(extra, setting):
    assert f"for a public bucket set {setting}" in str(judged(PermissionError(), extra))


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ({"ETag": '"abc-2"'}, '"etag-abc-2"'),
        ({"ETag": 'W/"abc"'}, None),
        ({"ETag": "", "VersionId": "v1"}, '"versionid-v1"'),
        ({"etag": "0x8D", "content_md5": b"\x01"}, '"etag-0x8D"'),
        ({"generation": "17", "md5Hash": "x"}, '"generation-17"'),
        ({"size": 3, "name": "a"}, None),
    ],
)
def test_versions(told, version):
    assert _version(told) == version


def test_versions_by_time():
    now = datetime.now(UTC)
    old = now.replace(microsecond=0) - timedelta(days=1)
    assert _time_of(None, "a", {"mtime": old, "size": 3}) == f'"time-{old.timestamp()!r}-3"'
    assert _time_of(None, "a", {"mtime": old.timestamp()}) is not None
    fresh = now.replace(microsecond=0)  # it may change once more within that second
    assert _time_of(None, "a", {"mtime": fresh}) is None
    assert _time_of(None, "a", {"mtime": fresh.replace(microsecond=5)}) is not None
    assert _time_of(None, "a", {}) is None
    assert _time_of(None, "a", {"mtime": "yesterday"}) is None


def test_digests():
    md5 = hashlib.md5(DATA)
    told = "md5:" + md5.hexdigest()
    assert _digest({"md5Hash": base64.b64encode(md5.digest()).decode()}) == told
    assert _digest({"content_md5": md5.digest()}) == told
    assert _digest({"content_md5": bytearray(md5.digest())}) == told
    for odd in (
        {},
        {"md5Hash": "?"},
        {"md5Hash": "AAAA"},
        {"ETag": md5.hexdigest()},
        {"md5Hash": 7},
    ):
        assert _digest(odd) is None
