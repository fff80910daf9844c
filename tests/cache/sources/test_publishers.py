"""Whole fetches from stand-ins for Hugging Face and Google Drive, laid out as those are."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
from support.faults import redirect, reply
from support.server import FileServer

from domainkit import cache
from domainkit.cache.sources import google_drive
from domainkit.errors import DigestError, FetchError

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()
URL = "hf://datasets/some-one/voices@refs%2Fpr%2F1/a folder/a.tar"
PATH = "/datasets/some-one/voices/resolve/refs/pr/1/a folder/a.tar"  # as the server unquotes it


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))


@pytest.fixture
def store(tmp_path):
    """Where the hub's redirects lead: another server."""
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "blob").write_bytes(DATA)
    with FileServer(folder) as running:
        yield running


@pytest.fixture
def hub(tmp_path, monkeypatch):
    file = tmp_path / "hub" / PATH.lstrip("/")
    file.parent.mkdir(parents=True)
    file.write_bytes(DATA)
    with FileServer(tmp_path / "hub") as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def linked(store, digest=SHA256):
    """The hub's answer for a large file: a redirect, with the file's digest beside it."""
    to = store.url.replace("127.0.0.1", "localhost") + "/blob?X-Amz-Signature=abc"
    return reply(b"", 302, Location=to, X_Linked_Etag=f'"{digest}"', X_Repo_Commit="e62816")


def test_a_small_file_comes_from_the_hub_itself(hub, policy):
    path = cache.fetch(URL, policy=policy)
    assert path.read_bytes() == DATA and path.name == "a.tar"
    assert {request.path for request in hub.requests} == {PATH}
    assert cache.fetch(URL) == path


def test_a_large_file_and_its_token(hub, store, policy, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    moved = "/api/resolve-cache" + PATH
    hub.faults[PATH] = [redirect(hub.url + moved.replace(" ", "%20"), 307)]
    hub.faults[moved] = [linked(store)]
    assert cache.fetch(URL, policy=policy).read_bytes() == DATA
    sent = [headers.get("Authorization") for headers in hub.headers]
    assert sent == ["Bearer hf_secret"] * 2
    assert store.headers and not any("Authorization" in headers for headers in store.headers)


def test_what_the_hub_tells_of_the_bytes_is_held_against_them(hub, store, policy):
    hub.faults[PATH] = [linked(store, 64 * "0") for _ in range(9)]
    with pytest.raises((FetchError, DigestError), match="0000"):
        cache.fetch(URL, policy=policy)
    assert not [p for p in Path(cache.home()).rglob("*") if p.is_file() and p.name == "a.tar"]


def test_a_gated_file_says_what_to_do(hub, policy):
    hub.faults[PATH] = [reply(b"Access denied", 401, X_Error_Code="GatedRepo")]
    with pytest.raises(FetchError) as caught:
        cache.fetch(URL, policy=policy)
    told = str(caught.value)
    assert "401" in told and "gated. No token was sent: sign in at " in told
    assert f"{hub.url}/datasets/some-one/voices, accept its conditions" in told
    assert len(hub.requests) == 1  # no use to ask again


def test_the_mirror_holds_it_under_the_hubs_name(tmp_path, policy, monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    file = tmp_path / "mirror" / "huggingface.co" / PATH.lstrip("/")
    file.parent.mkdir(parents=True)
    file.write_bytes(DATA)
    with FileServer(tmp_path / "mirror") as mirror:
        monkeypatch.setenv("DOMAINKIT_MIRROR", mirror.url)
        assert cache.fetch(URL, policy=policy).read_bytes() == DATA
        assert not any("Authorization" in headers for headers in mirror.headers)


KEY = "1y3NkcscPJ-KkOhVqWHbF6HbNdtgQyA_i"
LINK = f"https://drive.google.com/file/d/{KEY}/view?usp=sharing"
PAGE = f"""<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<form id="download-form" action="/confirmed" method="get"><input type="hidden" name="id"
value="{KEY}"><input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid"
value="9"></form></body></html>"""
HTML = "text/html; charset=utf-8"


@pytest.fixture
def drive(tmp_path, monkeypatch):
    folder = tmp_path / "drive"
    folder.mkdir()
    (folder / "download").write_bytes(DATA)
    (folder / "confirmed").write_bytes(DATA)
    with FileServer(folder) as running:
        monkeypatch.setattr(google_drive, "_DOWNLOAD", running.url + "/download")
        yield running


def test_a_shared_file(drive, policy):
    path = cache.fetch(LINK, digest=f"sha256:{SHA256}", policy=policy)
    assert path.read_bytes() == DATA
    assert {request.path for request in drive.requests} == {"/download"}


def test_a_shared_file_behind_a_page(drive, policy):
    drive.faults["/download"] = [reply(PAGE.encode(), Content_Type=HTML)]
    path = cache.fetch(LINK, digest=f"sha256:{SHA256}", policy=policy)
    assert path.read_bytes() == DATA
    assert [request.path for request in drive.requests][:2] == ["/download", "/confirmed"]


def test_a_page_in_gzip_is_read_too(drive, policy):
    packed = gzip.compress(PAGE.encode())
    drive.faults["/download"] = [reply(packed, Content_Type=HTML, Content_Encoding="gzip")]
    assert cache.fetch(LINK, policy=policy).read_bytes() == DATA


def test_a_quota_page(drive, policy):
    page = b"<html><title>Google Drive - Quota exceeded</title>Too many users have viewed</html>"
    drive.faults["/download"] = [reply(page, Content_Type=HTML)]
    with pytest.raises(FetchError, match=r"too many people fetched this file .* 24 hours"):
        cache.fetch(LINK, policy=policy)
    assert len(drive.requests) == 1


def test_a_shared_web_page_is_a_file_like_any_other(drive, tmp_path, policy):
    page = b"<!doctype html><html>the very file</html>"
    attached = 'attachment; filename="a.html"'
    drive.faults["/download"] = [
        reply(page, Content_Type=HTML, Content_Disposition=attached) for _ in range(2)
    ]
    digest = "sha256:" + hashlib.sha256(page).hexdigest()
    assert cache.fetch(LINK, digest=digest, name="a.html", policy=policy).read_bytes() == page
