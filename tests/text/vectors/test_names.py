"""Published vectors by name, fetched from a server of this test in their publishers' packing."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zipfile

import numpy as np
import pytest
from support.server import FileServer
from support.vector_files import fasttext_bin, fasttext_vec, glove, random_rows

from domainkit.cache.digest import Digest
from domainkit.errors import DigestError, NotFoundError, TransformError
from domainkit.text.vectors import Vectors, known_names
from domainkit.text.vectors import names as names_module
from domainkit.text.vectors.names import published


def served(folder, url, data):
    """Puts ``data`` where DOMAINKIT_MIRROR looks for ``url``."""
    path = folder / re.sub(r"^https://", "", url)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def tarred(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def publisher(tmp_path, fresh_home, monkeypatch):
    folder = tmp_path / "served"
    folder.mkdir()
    with FileServer(folder) as server:
        monkeypatch.setenv("DOMAINKIT_MIRROR", server.url)
        yield server


def without_digests(monkeypatch):
    entries = [{k: v for k, v in e.items() if k != "digest"} for e in names_module._entries()]
    monkeypatch.setattr(names_module, "_entries", lambda: entries)


def test_glove_is_a_member_of_a_zip(publisher, monkeypatch):
    rows = {d: random_rows(["the", "of"], d) for d in (50, 100)}
    members = {f"glove.6B.{d}d.txt": glove(part) for d, part in rows.items()}
    served(publisher.folder, published("glove-6b-50d").urls[0], zipped(members))
    without_digests(monkeypatch)
    for d in (50, 100):
        vectors = Vectors.from_name(f"glove-6b-{d}d")
        assert vectors["of"].tolist() == rows[d]["of"].tolist()
    assert publisher.count("/nlp.stanford.edu/data/glove.6B.zip") == 1


def test_other_bytes_than_the_pinned_ones_are_refused(publisher, monkeypatch):
    entry = next(e for e in names_module._entries() if "digest" in e)
    one = {**entry, "urls": [f"{publisher.url}/glove.6B.zip"]}  # no other address is tried
    monkeypatch.setattr(names_module, "_entries", lambda: [one])
    monkeypatch.delenv("DOMAINKIT_MIRROR")
    (publisher.folder / "glove.6B.zip").write_bytes(zipped({"glove.6B.50d.txt": b"the 1 2\n"}))
    with pytest.raises(DigestError):
        Vectors.from_name("glove-6b-50d")


def test_fasttext_and_char_ngrams(publisher):
    rows = random_rows(["the", "de"], 4)
    served(publisher.folder, published("fasttext-wiki-simple").urls[0], fasttext_vec(rows))
    assert Vectors.from_name("fasttext-wiki-simple")["de"].tolist() == rows["de"].tolist()
    matrix = np.ones((2 + 9, 4), np.float32)
    data = gzip.compress(fasttext_bin([b"the", b"de"], matrix, bucket=9))
    served(publisher.folder, published("fasttext-crawl-zh-subword").urls[0], data)
    vectors = Vectors.from_name("fasttext-crawl-zh-subword", unknown="error")
    assert vectors.kind == "fasttext-binary" and vectors["unseen"].tolist() == [1] * 4
    grams = random_rows(["<UNK>", "2gram-th"], 3)
    data = tarred({"jmt/README": b"", "jmt/charNgram.txt": glove(grams), "jmt/word.txt": b"x"})
    served(publisher.folder, published("char-ngram-100d").urls[0], data)
    vectors = Vectors.from_name("char-ngram-100d")
    assert vectors.kind == "char-ngram" and vectors["the"].tolist() == grams["2gram-th"].tolist()


def test_the_longest_pattern_counts():
    assert published("fasttext-crawl-de").urls[0].endswith("vectors-crawl/cc.de.300.vec.gz")
    assert published("fasttext-crawl-de-subword").urls[0].endswith("cc.de.300.bin.gz")
    assert published("fasttext-wiki-zh-yue").urls[0].endswith("wiki.zh-yue.vec")
    english = published("fasttext-english-wiki-news-300d-1M-subword")
    assert english.member == "wiki-news-300d-1M-subword.vec"
    assert published("glove-twitter-27b-25d").member == "glove.twitter.27B.25d.txt"


def test_torchtexts_names_lead_to_the_same():
    pairs = {
        "glove.6B.100d": "glove-6b-100d",
        "glove.42B.300d": "glove-42b-300d",
        "glove.840B.300d": "glove-840b-300d",
        "glove.twitter.27B.200d": "glove-twitter-27b-200d",
        "fasttext.en.300d": "fasttext-wiki-en",
        "fasttext.simple.300d": "fasttext-wiki-simple",
        "charngram.100d": "char-ngram-100d",
    }
    for theirs, ours in pairs.items():
        assert published(theirs) == published(ours)


@pytest.mark.parametrize("name", known_names())
def test_every_name_leads_to_an_address(name):
    entry = published(name.replace("{lang}", "en"))
    assert entry.license and entry.urls
    assert all(re.fullmatch(r"(https://[\w.-]+|hf:/)(/[\w.~-]+)+", url) for url in entry.urls)
    if entry.digest:
        assert len(Digest.parse(entry.digest).digits) == 64


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("glove-6b-100", "Did you mean 'glove-6b-100d'"),
        ("glove.6B.10d", "no vectors are called"),
        ("fasttext-wiki-", "Did you mean 'fasttext-wiki-{lang}'"),
        ("fasttext-wiki-../../x", "no vectors are called"),
        ("", "no vectors are called"),
    ],
)
def test_other_names_are_refused(name, says):
    with pytest.raises(NotFoundError, match=re.escape(says)):
        Vectors.from_name(name)


def test_one_file_of_several_must_be_named(tmp_path, fresh_home):
    data = zipped({"a.txt": b"the 1\n", "b.txt": b"the 1\n"})
    (tmp_path / "v.zip").write_bytes(data)
    with pytest.raises(TransformError, match="member="):
        Vectors.open(tmp_path / "v.zip")
    assert hashlib.sha256(b"the 1\n").hexdigest() in str(
        Vectors.open(tmp_path / "v.zip", member="b.txt").digest
    )
