"""``gs:`` addresses against a stand-in for Google's storage, laid out as its JSON API is."""

from __future__ import annotations

import base64
import hashlib
import json
import os

import pytest
from support.faults import status
from support.server import FileServer

from domainkit import cache
from domainkit.cache.sources.base import GiveUp
from domainkit.cache.sources.remote import FsspecSource
from domainkit.errors import FetchError

os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # it would ask by gRPC
gcsfs = pytest.importorskip("gcsfs")
fsspec = pytest.importorskip("fsspec")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the client, not ours
DATA = os.urandom(9_000_000)
MD5 = hashlib.md5(DATA)
URL = "gs://data/a.bin"
FACTS, BYTES = "/storage/v1/b/data/o/a.bin", "/download/storage/v1/b/data/o/a.bin"


@pytest.fixture
def google(tmp_path, monkeypatch):
    for place, content in ((FACTS, facts()), (BYTES, DATA)):
        file = tmp_path / "google" / place.lstrip("/")
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    with FileServer(tmp_path / "google") as running:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
        monkeypatch.setitem(fsspec.config.conf, "gcs", {"token": "anon"})
        gcsfs.GCSFileSystem.clear_instance_cache()
        yield running
    gcsfs.GCSFileSystem.clear_instance_cache()


def facts(generation="1700000000000001", **more):
    md5 = base64.b64encode(MD5.digest()).decode()
    told = {"name": "a.bin", "bucket": "data", "size": str(len(DATA)), "md5Hash": md5, **more}
    return json.dumps({**told, "generation": generation, "etag": f"CP{generation}="}).encode()


def test_fetch(google):
    with FsspecSource(URL).open(5, 99) as answer:
        assert (answer.total, answer.ranges) == (len(DATA), True)
        assert answer.digest == "md5:" + MD5.hexdigest()
        assert b"".join(answer.chunks) == DATA[5:99]
    path = cache.fetch(URL, policy=cache.Policy(large=1 << 20, piece=2 << 20, enough=float("inf")))
    assert path.read_bytes() == DATA


def test_it_is_held_to_the_md5_that_google_tells(google, tmp_path):
    (tmp_path / "google" / BYTES.lstrip("/")).write_bytes(DATA[:-1] + bytes([DATA[-1] ^ 1]))
    with pytest.raises(FetchError, match=MD5.hexdigest()):
        cache.fetch(URL)


def test_a_file_that_is_not_there(google):
    with pytest.raises(GiveUp, match="there is no such file"):
        FsspecSource("gs://data/absent").open()


def test_no_access(google):
    google.faults[FACTS] = [status(401) for _ in range(20)]
    with pytest.raises(
        GiveUp, match=r"access is denied .*`gcloud auth .* public bucket set FSSPEC"
    ):
        FsspecSource(URL).open()


def test_no_access_that_the_client_hides(google):
    google.faults[FACTS] = [status(403) for _ in range(20)]
    with pytest.raises(GiveUp, match="or it may not be seen without a login"):
        FsspecSource(URL).open()
