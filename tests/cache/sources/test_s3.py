"""``s3:`` addresses against a real S3 server on this machine, where one is installed (moto)."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from domainkit import cache
from domainkit.cache.sources.base import GiveUp, Retry
from domainkit.cache.sources.remote import FsspecSource
from domainkit.errors import FetchError

s3fs = pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")
fsspec = pytest.importorskip("fsspec")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the server and the clients, not ours
DATA = os.urandom(20_000_000)
URL = "s3://data/a folder/a.bin"


@pytest.fixture(scope="module")
def address():
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(address, monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.config.conf.pop("s3", None)
    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3", endpoint_url=address)
    client.create_bucket(Bucket="data")
    client.put_object(Bucket="data", Key="a folder/a.bin", Body=DATA, ACL="public-read")
    yield client
    for item in client.list_objects_v2(Bucket="data").get("Contents", []):
        client.delete_object(Bucket="data", Key=item["Key"])
    client.delete_bucket(Bucket="data")
    s3fs.S3FileSystem.clear_instance_cache()


def read(answer):
    with answer:
        return b"".join(answer.chunks)


def test_the_whole_file_and_parts(bucket):
    source = FsspecSource(URL)
    answer = source.open()
    assert (answer.total, answer.ranges, answer.framed) == (len(DATA), True, True)
    assert hashlib.md5(DATA).hexdigest() in answer.validator
    assert read(answer) == DATA
    for start, stop in ((0, 1), (5, 9_000_000), (9_000_000, None), (len(DATA), None)):
        assert read(source.open(start, stop, answer.validator)) == DATA[start:stop]


def test_a_new_version_starts_again(bucket):
    source = FsspecSource(URL)
    version = source.open().validator
    bucket.put_object(Bucket="data", Key="a folder/a.bin", Body=b"new")
    changed = source.open(7, None, version)
    assert changed.start == 0 and changed.validator != version
    assert read(changed) == b"new"


def test_a_version_that_goes_while_it_is_read(bucket):
    answer = FsspecSource(URL).open()
    first = next(answer.chunks)
    bucket.put_object(Bucket="data", Key="a folder/a.bin", Body=DATA[::-1])
    with answer, pytest.raises(Retry, match="changed while it was read"):
        assert first + b"".join(answer.chunks) != DATA  # nothing mixed is taken for the whole


@pytest.mark.parametrize("jobs", [1, 4])
def test_fetch(bucket, jobs):
    policy = cache.Policy(jobs=jobs, large=1 << 20, piece=4 << 20, enough=float("inf"))
    digest = "sha256:" + hashlib.sha256(DATA).hexdigest()
    path = cache.fetch(URL, digest=digest, size=len(DATA), policy=policy)
    assert path.read_bytes() == DATA and path.name == "a.bin"
    assert cache.fetch(URL, digest=digest) == path


def test_what_is_not_there(bucket):
    for url in ("s3://data/absent", "s3://nowhere-at-all/a"):
        with pytest.raises(GiveUp, match="there is no such file"):
            FsspecSource(url).open()
    with pytest.raises(FetchError, match="there is no such file"):
        cache.fetch("s3://data/absent")
    with pytest.raises(GiveUp, match=r"is a folder|there is no such file"):
        FsspecSource("s3://data/a folder").open()


def test_without_an_account(bucket, monkeypatch, tmp_path):
    """Told what to set; and with that set, the file of a public bucket comes."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(GiveUp) as caught:
        FsspecSource(URL).open()
    assert "access is denied (Unable to locate credentials)" in str(caught.value)
    setting = """FSSPEC_S3='{"anon": true}'"""
    assert f"for a public bucket set {setting}" in str(caught.value)

    name, _, value = setting.partition("=")
    fsspec.config.set_conf_env(fsspec.config.conf, {name: value.strip("'")})  # as at its import
    s3fs.S3FileSystem.clear_instance_cache()
    assert read(FsspecSource(URL).open(0, 5)) == DATA[:5]
    fsspec.config.conf.pop("s3")


def test_a_server_that_is_not_there(bucket, monkeypatch):
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        options = {"endpoint_url": nowhere, "config_kwargs": {"retries": {"max_attempts": 1}}}
        monkeypatch.setitem(fsspec.config.conf, "s3", options)
        monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(Retry, match="connection failed: Could not connect"):
            FsspecSource(URL).open()


def test_the_file_lies_in_the_cache_alone(bucket, tmp_path):
    cache.fetch(URL)
    found = [path for path in Path(cache.home()).rglob("*") if path.name == "a.bin"]
    assert len(found) == 1
