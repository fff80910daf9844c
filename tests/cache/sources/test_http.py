"""http(s): secrets in what is said, settings of the environment, and headers that make no sense."""

from __future__ import annotations

import base64
import gzip
import hashlib
import logging
import socket
import sys
import traceback
import zlib

import pytest
from support import faults
from support.cached import DATA, NAME, SHA
from support.certificates import CertificateMaker
from support.server import FileServer

from domainkit.cache import Policy, fetch
from domainkit.cache.mirrors import mirrored, without_login
from domainkit.cache.sources import check_address, hugging_face, open_source
from domainkit.cache.sources.base import GiveUp, Retry
from domainkit.cache.sources.http import HttpSource
from domainkit.errors import FetchError, MissingExtraError

ETAG = '"\xe9t\xe9"'.encode("latin-1")


@pytest.fixture
def certificate(tmp_path):
    maker = CertificateMaker(tmp_path)
    if not maker.works:
        pytest.skip("openssl is not installed")
    return maker.make()


@pytest.fixture
def source(server):
    made = open_source(server.url + NAME, Policy(5, 5))
    yield made
    made.close()


def read(answer):
    with answer:
        return b"".join(answer.chunks)


def with_login(url):
    return url.replace("http://", "http://me:hidden@")


def basic(pair):
    return "Basic " + base64.b64encode(pair.encode()).decode()


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pw@h/a", "https://h/a"),
        ("https://token@h:8/a", "https://h:8/a"),
        ("https://me:p/w@h/a", "https://h/a"),
        ("sftp://me:pw@h/a", "sftp://me@h/a"),
        ("abfs://container@account/a", "abfs://container@account/a"),
        ("hf://o/n@refs/pr/1/a", "hf://o/n@refs/pr/1/a"),
        ("https://h/a?id=1&Token=x&b=2", "https://h/a?id=1&Token=...&b=2"),
        ("https://h/a?access_token=x%26y#f", "https://h/a?access_token=...#f"),
        (
            "https://h/a?X-Amz-Date=1&X-Amz-Signature=2&response=3",
            "https://h/a?X-Amz-Date=...&X-Amz-Signature=...&response=3",
        ),
        ("https://h/a?X-Goog-Credential=m%2F1&sig=2", "https://h/a?X-Goog-Credential=...&sig=..."),
        ("https://h/a?api_key=1&apikey=2&auth=3", "https://h/a?api_key=...&apikey=...&auth=..."),
        ("https://h/a?password=1&signature=2", "https://h/a?password=...&signature=..."),
        ("https://h/a?key=AIzaSyA1234567890abcdef", "https://h/a?key=..."),
        ("https://h/a?key=train-images/part-00001", "https://h/a?key=train-images/part-00001"),
        ("https://h/a?key=train-images.idx3.gz", "https://h/a?key=train-images.idx3.gz"),
        (
            "https://h/a?id=1&confirm=t&export=download&resourcekey=0-eqMhg",
            "https://h/a?id=1&confirm=t&export=download&resourcekey=0-eqMhg",
        ),
    ],
)
def test_what_is_shown_of_an_address(url, shown):
    assert without_login(url) == shown


def test_a_redirect_loop_shows_no_secret(server, policy, caplog):
    caplog.set_level(logging.INFO)
    again = with_login(server.url) + "/loop?sig=hidden"
    server.always["/loop"] = faults.redirect(again)
    with pytest.raises(FetchError, match=r"last to http://127\S+/loop\?sig=\.\.\.") as caught:
        fetch(again, policy=policy)
    assert "hidden" not in str(caught.value)
    assert "/loop?sig=..." in caplog.text and "hidden" not in caplog.text
    assert {sent["Authorization"] for sent in server.headers} == {basic("me:hidden")}


def test_a_login_goes_along_to_the_same_server_and_to_no_other(server, folder, policy):
    with FileServer(folder) as other:
        server.faults["/a"] = [faults.redirect("/b")]
        server.faults["/b"] = [faults.redirect(other.url + NAME)]
        assert fetch(with_login(server.url) + "/a", digest=SHA, policy=policy).read_bytes() == DATA
        assert [sent.get("Authorization") for sent in server.headers] == [basic("me:hidden")] * 2
        assert "Authorization" not in other.headers[0]


def test_a_refused_redirect_shows_no_secret(folder, server, certificate, policy, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with FileServer(folder, certificate) as secure:
        secure.faults["/a"] = [faults.redirect(with_login(server.url) + "/b?token=hidden")]
        with pytest.raises(FetchError, match=r"/b\?token=\.\.\., which is refused") as caught:
            fetch(secure.url + "/a", policy=policy)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["ftp://me:hidden@h/a", "https://me:hidden@[h/a", "https://me:hid/den@h/a", "me:hidden@h/a"],
)
def test_an_address_that_is_refused_shows_no_password(url):
    with pytest.raises(FetchError, match="h/a' is not an address") as caught:
        check_address(url)
    assert "hid" not in str(caught.value)


def test_the_advice_of_the_hub_shows_no_password(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://me:hidden@hub.example.org")
    said = hugging_face.advice(403, {"x-error-code": "GatedRepo"}, "hf://o/n/a.bin")
    assert "https://hub.example.org/o/n," in said and "hidden" not in said


# --- the environment ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://me:hidden@host:port"),
        ("HTTP_PROXY", "ftp://me:hidden@host"),
        ("ALL_PROXY", "http://me:hidden@ho st:x"),
        ("NO_PROXY", "[::1]:8,hidden:x"),
    ],
)
def test_proxies_that_cannot_be_used_are_told_by_name(policy, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(FetchError, match=f"{name}.*Expected http://host:port") as caught:
        fetch("https://127.0.0.1:9/a", policy=policy)
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


def test_a_socks_proxy_names_its_extra(policy, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hidden@127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(MissingExtraError, match=r'pip install "httpx\[socks\]"') as caught:
        fetch("https://127.0.0.1:9/a", policy=policy)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there_are_told_by_name(policy, monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, str(tmp_path / "absent"))
    with pytest.raises(FetchError, match=rf"{name}=.*absent: cannot be used .*unset it"):
        fetch("http://127.0.0.1:9/a", policy=policy)


def test_a_file_of_no_certificates_is_told_by_name(policy, monkeypatch, tmp_path):
    (tmp_path / "broken").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "broken"))
    with pytest.raises(FetchError, match=r"SSL_CERT_FILE=.*broken: cannot be used"):
        fetch("http://127.0.0.1:9/a", policy=policy)


def test_a_folder_as_a_mirror_is_skipped_where_it_cannot_tell_files_apart(monkeypatch):
    monkeypatch.setenv("DOMAINKIT_MIRROR", "file:///n")
    assert mirrored(["https://h/a?id=1", "https://h/b"]) == ["file:///n/h/b"]


def test_a_mirror_that_is_no_address_is_told(server, policy, monkeypatch):
    monkeypatch.setenv("DOMAINKIT_MIRROR", "https://m/x,me:hidden@mirror.example.org/data")
    with pytest.raises(FetchError, match=r"DOMAINKIT_MIRROR: 'mirror\S+' .*https://host") as caught:
        fetch(server.url + NAME, policy=policy)
    assert "hidden" not in str(caught.value) and server.requests == []


# --- headers --------------------------------------------------------------------------------------


def test_a_tag_that_cannot_be_sent_back_is_none(source, server):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
    server.faults[NAME] = [faults.raw(head + b"ETag: " + ETAG + b"\r\n\r\nabc")]
    with source.open() as answer:
        assert answer.validator is None
    dates = b"Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT (\xe9)\r\nDate: %s 2025 00:00:00 GMT\r\n"
    server.faults[NAME] = [faults.raw(head + dates % b"Wed, 01 Jan" + b"\r\nabc")]
    with source.open() as answer:
        assert answer.validator is None


def test_a_cut_file_with_such_a_tag_is_fetched_in_the_end(server, policy):
    head = b"HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nContent-Length: %d\r\nETag: %s\r\n\r\n"
    server.faults[NAME] = [faults.raw(head % (len(DATA), ETAG) + DATA[:1000])]
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA


def test_a_part_with_such_a_tag_is_of_no_named_version(source, server):
    head = b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 1-3/9\r\nContent-Length: 3\r\n"
    server.faults[NAME] = [faults.raw(head + b"ETag: " + ETAG + b"\r\n\r\nabc")]
    with source.open(1, 4, '"a"') as answer:
        assert (answer.start, answer.validator) == (1, None)


def test_a_remembered_tag_that_cannot_be_sent_asks_for_the_whole_file(source, server):
    with source.open(7, 9, ETAG.decode("latin-1")) as answer:
        assert (answer.start, answer.stop) == (0, None)
    assert server.requests[-1].range is None


@pytest.mark.parametrize(
    "dates",
    [
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 GMT"),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", "Mon, 01 Jan 2024 00:00:00 GMT"),
    ],
)
def test_dates_beyond_all_time_name_no_version(source, server, dates):
    head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nLast-Modified: {}\r\nDate: {}\r\n\r\nabc"
    server.faults[NAME] = [faults.raw(head.format(*dates).encode())]
    with source.open() as answer:
        assert answer.validator is None


@pytest.mark.parametrize("said", ["bytes 1-{}/*", "bytes {}-9/*", "bytes 1-3/{}"])
def test_ranges_of_thousands_of_digits_are_refused(source, server, said):
    head = f"HTTP/1.1 206 Partial\r\nContent-Range: {said.format('9' * 5000)}\r\n\r\n"
    server.faults[NAME] = [faults.raw(head.encode())]
    with pytest.raises(Retry, match="another range"):
        source.open(1, 4)


@pytest.mark.parametrize("digits", [19, 20, 5000])
def test_a_length_of_many_digits_ends_in_a_retry(source, server, digits):
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {'9' * digits}\r\n\r\nabc"
    server.faults[NAME] = [faults.raw(head.encode())]
    with pytest.raises(Retry):
        read(source.open())


@pytest.mark.parametrize("host", ["a" * 70 + ".example.org", "a..example.org"])
def test_host_names_that_cannot_be(server, policy, waits, monkeypatch, host):
    allowed = socket.create_connection

    def connect(address, *args, **options):
        address[0].encode("idna")  # as the look-up does, which is not allowed here
        return allowed(address, *args, **options)

    monkeypatch.setattr(socket, "create_connection", connect)
    server.faults["/a"] = [faults.redirect(f"http://{host}/b")]
    for url in (f"http://{host}/b", server.url + "/a"):
        with pytest.raises(FetchError, match="an address that is not well formed"):
            fetch(url, policy=policy)
    assert waits == []


@pytest.mark.parametrize(
    ("stored", "told"), [(None, True), ("identity", True), ("gzip", False), ("br", False)]
)
def test_the_hash_of_what_google_stores_compressed_is_not_that_of_the_file(
    source, server, stored, told
):
    md5 = hashlib.md5(DATA).digest()
    extra = {"x-goog-hash": "md5=" + base64.b64encode(md5).decode()}
    if stored:
        extra["x-goog-stored-content-encoding"] = stored
    server.faults[NAME] = [lambda handler: handler.answer(extra=extra)]
    with source.open() as answer:
        assert answer.digest == (f"md5:{md5.hex()}" if told else None)


@pytest.mark.parametrize("coding", ["aws-chunked", "binary", "none", "UTF-8", "identity, binary"])
def test_a_coding_that_is_no_compression_changes_nothing(source, server, coding):
    server.faults[NAME] = [lambda handler: handler.answer(extra={"Content-Encoding": coding})]
    answer = source.open()
    assert (answer.total, answer.ranges) == (len(DATA), True) and answer.validator
    assert read(answer) == DATA


def test_a_compression_beside_it_is_undone(source, server):
    packed = zlib.compress(DATA)
    said = {"Content-Encoding": "aws-chunked, deflate"}
    server.faults[NAME] = [lambda handler: handler.reply(200, packed, said)]
    assert read(source.open()) == DATA


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "lzma", "gzip, gzip"])
def test_other_compressions_are_refused(source, server, coding):
    server.faults[NAME] = [lambda handler: handler.answer(extra={"Content-Encoding": coding})]
    with pytest.raises(GiveUp, match=f"coded as '{coding}'"):
        read(source.open())


# --- headers that never end -----------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True])
def test_headers_that_drip_for_ever_are_not_waited_for(folder, certificate, monkeypatch, secure):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with FileServer(folder, certificate if secure else None) as server:
        server.faults[NAME] = [faults.slow_headers(10_000, 0.02)]
        source = open_source(server.url + NAME, Policy(0.5, 0.4))
        with pytest.raises(Retry, match="sends its headers too slowly"):
            source.open()
        assert read(source.open()) == DATA
        source.close()


def test_they_are_not_waited_for_on_a_connection_that_was_kept_either(folder):
    with FileServer(folder) as server:
        server.faults[NAME] = [None, faults.slow_headers(10_000, 0.02)]
        source = open_source(server.url + NAME, Policy(0.5, 0.4))
        assert read(source.open()) == DATA
        with pytest.raises(Retry, match="sends its headers too slowly"):
            source.open()
        assert server.connections == 1
        source.close()


def test_no_wait_outlasts_what_is_left_of_the_fetch(folder):
    """The first wait takes half of the time, and the second what is left of it."""
    with FileServer(folder) as server:
        server.always[NAME] = faults.slow_headers(10_000, 0.02)
        left = iter([0.4, 0.2, 0.1])
        source = HttpSource(server.url + NAME, 60, 60, lambda: next(left))
        for _ in range(3):
            with pytest.raises(Retry, match="sends its headers too slowly"):
                source.open()
        source.close()


# --- gzipped files that are sent as if they were packed for the way alone -------------------------


@pytest.mark.parametrize(
    "asked", ["/data.tar.gz", "/moved.tgz", "/blob?file=data.tar.gz", "/get?file=a%2Fdata.tgz"]
)
def test_a_gzipped_file_is_what_was_asked_for(folder, asked):
    packed = gzip.compress(DATA)
    with FileServer(folder) as server:
        kept = faults.reply(packed, Content_Encoding="gzip")
        for path in ("/data.tar.gz", "/blob"):
            server.always[path] = kept
        server.always["/moved.tgz"] = faults.redirect("/blob")
        server.always["/get"] = faults.redirect("/blob")
        source = open_source(server.url + asked, Policy(5, 5))
        assert read(source.open()) == packed
        source.close()
        plain = open_source(server.url + "/blob?file=data.bin", Policy(5, 5))
        assert read(plain.open()) == DATA
        plain.close()


@pytest.mark.parametrize("mirror", ["http://[bad", "https://host:port/x", "nonsense"])
def test_a_mirror_that_is_not_well_formed_is_told(monkeypatch, mirror):
    monkeypatch.setenv("DOMAINKIT_MIRROR", mirror)
    with pytest.raises(FetchError, match=r"^DOMAINKIT_MIRROR: .* is not an address"):
        mirrored(["https://host/a"])
