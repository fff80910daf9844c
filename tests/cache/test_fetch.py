"""fetch when all goes well: what it returns, records, shares and takes from mirrors."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zlib
from urllib.parse import unquote

import pytest
from support import faults
from support.cached import DATA, NAME, SHA, left_behind
from support.server import FileServer

from domainkit import cache
from domainkit.cache import Policy, fetch
from domainkit.errors import DigestError, FetchError, OfflineError


def test_a_file_is_fetched_once_and_recorded(server):
    path = fetch(server.url + NAME, digest=SHA, size=len(DATA))
    digits = SHA.removeprefix("sha256:")
    assert path == cache.home() / "files" / digits[:2] / digits / "data.bin"
    assert path.read_bytes() == DATA
    record = json.loads((cache.home() / "records" / f"sha256-{digits}.json").read_text())
    assert record["urls"] == [server.url + NAME]
    assert (record["digest"], "sha256:" + record["sha256"], record["size"]) == (SHA, SHA, len(DATA))
    assert fetch(server.url + NAME, digest=SHA, size=len(DATA)) == path
    assert server.requests == [("GET", NAME, None)]
    assert server.headers[0]["Accept-Encoding"] == "identity"
    assert len(left_behind()) == 2  # the file and its record, nothing partial


@pytest.mark.parametrize(
    ("digest", "where"),
    [
        ("sha512:" + hashlib.sha512(DATA).hexdigest(), "sha512"),
        ("md5:" + hashlib.md5(DATA).hexdigest().upper(), "md5"),
        (f"crc32:{zlib.crc32(DATA):08x}", "url"),
        (SHA[: len("sha256:") + 8], "url"),
        (None, "url"),
    ],
)
def test_every_kind_of_digest(server, digest, where):
    path = fetch(server.url + NAME, digest=digest)
    assert path.read_bytes() == DATA
    assert path.parent.name == SHA.removeprefix("sha256:")
    (entry,) = cache.entries()
    assert entry.record.name.startswith(f"{where}-")
    assert entry.trusted_on_first_use == (digest is None)
    assert entry.sha256 == SHA.removeprefix("sha256:")
    cache.verify(path)


@pytest.mark.parametrize(
    "digest", ["sha256:" + "0" * 64, "sha256:" + "0" * 8, "md5:" + "0" * 32, "crc32:" + "0" * 8]
)
def test_wrong_bytes_are_never_kept(server, policy, waits, digest):
    with pytest.raises(DigestError) as caught:
        fetch(server.url + NAME, digest=digest, policy=policy)
    algorithm = digest.partition(":")[0]
    got = SHA if algorithm == "sha256" else algorithm
    assert f"expected {digest}, got {got}" in str(caught.value)
    assert server.url + NAME in str(caught.value)
    assert server.count(NAME) == 1
    assert (left_behind(), waits) == ([], [])


@pytest.mark.parametrize("text", ["", "abc", "md5:123", "sha256:1234567", "sha1:" + "0" * 40])
def test_a_digest_of_unknown_form_is_refused(text):
    with pytest.raises(FetchError, match=r"not understood. Expected sha256:"):
        fetch("http://127.0.0.1:9/a", digest=text)


def test_one_content_from_two_addresses_is_kept_once(server, folder):
    (folder / "other.bin").write_bytes(DATA)
    first = fetch(server.url + NAME, digest=SHA)
    assert fetch(server.url + "/other.bin", digest=SHA) == first
    assert server.count("/other.bin") == 0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/a%20b%2F..%3Ac.bin", "a b_.._c.bin"),
        ("/host/set/..hidden", "hidden"),
        ("/%E6%97%A5%E6%9C%AC.zip?x=1", "日本.zip"),
        ("/" + "n" * 200 + ".tar.gz", "n" * 113 + ".tar.gz"),
        ("/", "file"),
    ],
)
def test_odd_names_stay_readable_and_safe(server, given, kept):
    server.faults[unquote(given.partition("?")[0])] = [faults.reply(DATA)]
    found = fetch(server.url + given, digest=SHA)
    assert found.name == kept
    assert found.parent.parent.parent == cache.home() / "files"
    assert found.read_bytes() == DATA


def test_name_and_progress(server, capsys):
    path = fetch(server.url + NAME, digest=SHA, name="train.bin", progress=True)
    assert path.name == "train.bin"
    lines = capsys.readouterr().err.splitlines()
    assert "train.bin: done in" in lines[-1]
    assert "300.0/300.0 kB" in lines[-1]


def test_import_is_light_and_random_is_left_alone():
    code = (
        "import random; state = random.getstate(); import sys, domainkit.cache as c\n"
        "c.Policy().wait(3, None)\n"
        "assert random.getstate() == state\n"
        "print(sorted({'torch', 'numpy', 'httpx', 'rich', 'filelock'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_mirrors_come_first_in_order_and_the_origin_last(server, folder, policy, monkeypatch):
    with FileServer(folder) as second:
        host = server.url.removeprefix("http://")
        server.faults[NAME] = [faults.status(404)]
        mirrored = f"/m/{host}{NAME}"
        second.faults[mirrored] = [faults.status(503)] * 2
        monkeypatch.setenv("DOMAINKIT_MIRROR", f"{second.url}/empty/, {second.url}/m")
        with pytest.raises(FetchError, match="404") as caught:
            fetch(server.url + NAME, digest=SHA, policy=policy)
        asked = [r.path for r in second.requests]
        assert asked == [f"/empty/{host}{NAME}", mirrored, mirrored]
        assert all(url in str(caught.value) for url in (f"{second.url}/empty/{host}", server.url))
        copy = folder / mirrored.lstrip("/")
        copy.parent.mkdir(parents=True)
        copy.write_bytes(DATA)
        assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
        assert server.count(NAME) == 1


def test_a_mirror_is_told_no_secret(server, policy, monkeypatch):
    host = server.url.removeprefix("http://")
    with FileServer(server.folder) as mirror:
        monkeypatch.setenv("DOMAINKIT_MIRROR", mirror.url)
        for query in ("access_token=SECRET", "part=1&X-Amz-Date=2&X-Amz-Signature=SECRET"):
            assert fetch(f"{server.url}{NAME}?{query}", policy=policy).read_bytes() == DATA
        assert [request.path for request in mirror.requests] == [f"/{host}{NAME}"]
        assert all("SECRET" not in line for line in mirror.lines)
        assert mirror.lines[0] == f"GET /{host}{NAME}?part=1 HTTP/1.1"


def test_a_mirror_with_wrong_bytes_is_passed_over(server, folder, policy):
    (folder / "bad.bin").write_bytes(DATA[:-1] + b"x")
    path = fetch([server.url + "/bad.bin", server.url + NAME], digest=SHA, policy=policy)
    assert path.read_bytes() == DATA
    assert [r.path for r in server.requests] == ["/bad.bin", NAME]


def test_a_dead_mirror_does_not_cost_the_partial_file(server, policy, monkeypatch):
    server.faults[NAME] = [faults.cut_after(100_000)]
    with pytest.raises(FetchError):
        fetch(server.url + NAME, digest=SHA, policy=Policy(5, 5, attempts=1))
    monkeypatch.setenv("DOMAINKIT_MIRROR", server.url + "/nothing")
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    assert server.requests[-1].range == "bytes=100000-"


def test_offline(server, monkeypatch):
    monkeypatch.setenv("DOMAINKIT_OFFLINE", "1")
    with pytest.raises(OfflineError, match="DOMAINKIT_OFFLINE"):
        fetch(server.url + NAME, digest=SHA)
    assert server.requests == []
    monkeypatch.setenv("DOMAINKIT_OFFLINE", "0")
    path = fetch(server.url + NAME, digest=SHA)
    monkeypatch.setenv("DOMAINKIT_OFFLINE", "1")
    assert fetch(server.url + NAME, digest=SHA) == path
