"""``hf://`` addresses, tokens and answers, held against the hub's own client library."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import httpx
import pytest

from domainkit.cache.sources import hugging_face
from domainkit.errors import FetchError

VARIABLES = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME",
    "HF_ENDPOINT", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HUGGINGFACE_CO_STAGING",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """Nobody is logged in to the hub."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))


GOOD = [
    "hf://stanfordnlp/imdb/a.txt",
    "hf://models/openai-community/gpt2/config.json",
    "hf://datasets/stanfordnlp/imdb/plain_text/train-00000-of-00001.parquet",
    "hf://datasets/stanfordnlp/imdb@v1.0/a.parquet",
    "hf://datasets/stanfordnlp/imdb@refs%2Fpr%2F1/a/b.parquet",
    "hf://datasets/stanfordnlp/imdb@refs/pr/12/a/b.parquet",
    "hf://datasets/stanfordnlp/imdb@refs/convert/parquet/plain_text/test/0000.parquet",
    "hf://datasets/stanfordnlp/imdb@my%2Fbranch/a.parquet",
    "hf://datasets/stanfordnlp/imdb@e6281661ce1c48d982bc483cf8a173c1bbeb5d31/a.parquet",
    "hf://spaces/some-one/a.space_1/app.py",
    "hf://kernels/some-one/activation/build.toml",
    "hf://datasets/a/b/with space & more?#%20@x=ü.txt",
    "hf://datasets/a/b/_deep/.hidden/x",
    "hf://datasets/a/b@refs/heads/a.txt",
]


@pytest.mark.parametrize("url", GOOD)
def test_addresses_are_those_of_the_hub(url):
    hub = pytest.importorskip("huggingface_hub")
    uris = pytest.importorskip("huggingface_hub.utils._hf_uris")
    asked = uris.parse_hf_uri(url)
    expected = hub.hf_hub_url(
        asked.id, asked.path_in_repo, repo_type=asked.type, revision=asked.revision
    )
    assert hugging_face.address(url) == expected
    assert str(httpx.URL(expected)) == expected  # nothing is quoted once more on the way


BAD = [
    ("hf://", "names no repository"),
    ("hf://gpt2/config.json", "names no file"),
    ("hf://datasets/squad/train.json", "names no file"),
    ("hf://dataset/a/b/c", "names no repository"),
    ("hf://datasets/a/b", "names no file"),
    ("hf://datasets/a/b/", "names no file"),
    ("hf://datasets/a/b@main", "names no file"),
    ("hf://datasets/a/b@/c", "nothing comes after the @"),
    ("hf://datasets/a//b/c", "names no repository"),
    ("hf://datasets/a/b//c", "empty, . or .."),
    ("hf://datasets/a/b/../../c", "empty, . or .."),
    ("hf://datasets/a b/c/d", "names no repository"),
    ("hf://-a/b/c", "names no repository"),
    ("hf://buckets/a/b@main/c", "no revisions"),
]


@pytest.mark.parametrize(("url", "why"), BAD)
def test_what_names_no_file_is_refused(url, why):
    with pytest.raises(FetchError) as caught:
        hugging_face.address(url)
    assert why in str(caught.value) and repr(url) in str(caught.value)
    assert "Expected hf://<owner>/<repo>" in str(caught.value)


@pytest.mark.parametrize(("url", "why"), BAD)
def test_what_the_hub_refuses_is_refused(url, why):
    """... and what it takes beyond that names a repository or folder, or leaves it."""
    uris = pytest.importorskip("huggingface_hub.utils._hf_uris")
    errors = pytest.importorskip("huggingface_hub.errors")
    try:
        asked = uris.parse_hf_uri(url)
    except errors.HfUriError:
        return
    assert not asked.path_in_repo.strip("/") or ".." in asked.path_in_repo, why


def test_buckets():
    assert (
        hugging_face.address("hf://buckets/a/b/c d/e.txt")
        == "https://huggingface.co/buckets/a/b/resolve/c%20d/e.txt"
    )


def test_another_endpoint(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9/hub/")
    assert (
        hugging_face.address("hf://datasets/a/b/c.txt")
        == "http://127.0.0.1:9/hub/datasets/a/b/resolve/main/c.txt"
    )
    monkeypatch.setenv("HF_ENDPOINT", "hub.example.org")
    with pytest.raises(FetchError, match=r"HF_ENDPOINT is 'hub\.example\.org', expected"):
        hugging_face.address("hf://datasets/a/b/c.txt")
    assert not hugging_face.is_hub("https://example.org/c")  # which has nothing to do with it


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HF_TOKEN": "hf_first", "HUGGING_FACE_HUB_TOKEN": "hf_second"},
        {"HUGGING_FACE_HUB_TOKEN": " hf_second\n"},
        {"HF_TOKEN": "", "HUGGING_FACE_HUB_TOKEN": "hf_second"},
        {"HF_TOKEN_PATH": "{tmp}/chosen"},
        {"HF_TOKEN_PATH": "~/chosen"},
        {"HF_HOME": "{tmp}/home"},
        {"HF_HOME": "$XDG_CACHE_HOME/hf", "XDG_CACHE_HOME": "{tmp}/caches"},
        {"XDG_CACHE_HOME": "{tmp}/caches"},
        {"HF_HOME": "{tmp}/nowhere"},
        {"HF_TOKEN": "hf_first", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"},
        {"HF_TOKEN": "hf_first", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "yes"},
        {"HF_TOKEN": "hf_first", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0"},
    ],
)
def test_the_token_is_the_one_the_hub_would_send(variables, tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    places = ("person/.cache/huggingface/token", "person/chosen", "chosen", "home/token",
              "caches/hf/token", "caches/huggingface/token")  # fmt: skip
    for place in places:
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"hf_{place.replace('/', '_').replace('.', '')}\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))
    asked = (
        "import json; from huggingface_hub.utils import build_hf_headers\n"
        "print(json.dumps({k: v for k, v in build_hf_headers().items() if k == 'authorization'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=120
    )  # a process of its own: the library reads the environment once
    expected = json.loads(done.stdout.splitlines()[-1])
    got = hugging_face.headers("hf://datasets/a/b/c")
    assert {key.lower(): value for key, value in got.items()} == expected


def test_the_token_goes_to_the_hub_alone(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    told = {"Authorization": "Bearer hf_secret"}
    path = "/a/b/resolve/main/c"
    assert hugging_face.headers("hf://a/b/c") == told
    assert hugging_face.headers("https://huggingface.co" + path) == told
    assert hugging_face.headers("https://hf.co" + path) == told
    for other in (
        "http://huggingface.co" + path,
        "https://huggingface.co.example.org" + path,
        "https://cdn-lfs.huggingface.co" + path,
        "https://huggingface.co:444" + path,
        "https://example.org/huggingface.co" + path,
        "https://huggingface.co@example.org" + path,
    ):
        assert hugging_face.headers(other) == {}, other
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.org")
    assert hugging_face.headers("https://hub.example.org" + path) == told


def test_a_token_that_is_none_is_refused_by_name(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_gehört mir")
    with pytest.raises(FetchError, match="HF_TOKEN holds no token"):
        hugging_face.headers("hf://a/b/c")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path))  # a folder
    assert hugging_face.headers("hf://a/b/c") == {}


SHA256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"X-Linked-Etag": f'"{SHA256}"', "ETag": '"7b2e"'}, SHA256),
        ({"x-linked-etag": f'W/"{SHA256.upper()}"'}, SHA256),
        ({"ETag": f'"{SHA256}"', "X-Repo-Commit": "e628"}, SHA256),
        ({"ETag": f'"{SHA256}"'}, None),  # another server's, of which nobody knows what it names
        ({"ETag": '"7b2e21e16d8803ced5e632e2f654200194bd21fc"', "X-Repo-Commit": "e628"}, None),
        ({"X-Linked-Etag": '"d41d8cd98f00b204e9800998ecf8427e-12"'}, None),
        ({"X-Xet-Hash": SHA256, "X-Repo-Commit": "e628"}, None),
        ({}, None),
    ],
)
def test_digest(answer, expected):
    whole = None if expected is None else f"sha256:{expected}"
    assert hugging_face.digest(answer) == whole
    assert hugging_face.digest(httpx.Headers(answer)) == whole


def test_the_header_names_are_the_hubs():
    constants = importlib.import_module("huggingface_hub.constants")
    answer = {constants.HUGGINGFACE_HEADER_X_LINKED_ETAG: f'"{SHA256}"'}
    assert hugging_face.digest(answer) == f"sha256:{SHA256}"
    etag = {"ETag": f'"{SHA256}"', constants.HUGGINGFACE_HEADER_X_REPO_COMMIT: "e628"}
    assert hugging_face.digest(etag) == f"sha256:{SHA256}"


URL = "hf://datasets/some-one/voices/a.tar"


@pytest.mark.parametrize(
    ("code", "answer", "told"),
    [
        (401, {"X-Error-Code": "GatedRepo"}, "gated. No token was sent: sign in at "
         "https://huggingface.co/datasets/some-one/voices, accept its conditions"),
        (401, {"X-Error-Code": "RepoNotFound"}, "no such repository, or it is private"),
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "is not valid"),
        (403, {"X-Error-Message": "Access to this resource is disabled."}, "has disabled"),
        (403, {"X-Error-Message": "Something else."}, "Something else."),
        (404, {"X-Error-Code": "EntryNotFound"}, "no such file in this revision"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "no such revision"),
    ],
)  # fmt: skip
def test_advice(code, answer, told):
    assert told in hugging_face.advice(code, answer, URL)
    assert told in hugging_face.advice(code, httpx.Headers(answer), hugging_face.address(URL))


def test_advice_knows_of_the_token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    for code, error in ((403, "GatedRepo"), (401, "RepoNotFound")):
        told = hugging_face.advice(code, {"X-Error-Code": error}, URL)
        assert "token that was sent" in told and "hf_secret" not in told


def test_no_advice_where_there_is_none():
    assert hugging_face.advice(500, {"X-Error-Code": "GatedRepo"}, URL) is None
    assert hugging_face.advice(404, {"X-Error-Code": "GatedRepo"}, "https://example.org/a") is None
    assert hugging_face.advice(404, {}, URL) is None


def test_nothing_of_the_hubs_library_is_imported():
    code = (
        "import sys, domainkit.cache.sources.hugging_face; print('huggingface_hub' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "False"
