"""Servers that misbehave: the right file, or an error that says why and leaves nothing."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import signal
import subprocess
import threading
import warnings
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from support import faults
from support.cached import DATA, NAME, SHA, left_behind
from support.server import FileServer

from domainkit.cache import Policy, fetch
from domainkit.errors import FetchError


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_passing_trouble_is_waited_for(server, policy, waits, code):
    server.faults[NAME] = [faults.status(code), faults.status(code)]
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    assert waits == [0.5, 1.0]


def http_date(seconds: float) -> str:
    start = datetime.fromtimestamp(1_000_000, UTC)
    return format_datetime(start + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("asked", "waited"),
    [("7", 7.0), (http_date(9), 9.0), ("86400", 120.0), (http_date(-5), 0.5), ("soon", 0.5)],
)
def test_retry_after_is_honoured_within_reason(server, policy, waits, asked, waited):
    server.faults[NAME] = [faults.status(503, retry_after=asked)]
    fetch(server.url + NAME, digest=SHA, policy=policy)
    assert waits == [waited]


def test_waits_double_up_to_a_cap_and_are_drawn():
    policy = Policy(jitter=lambda: 1.0)
    assert [policy.wait(n, None) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    drawn = [Policy().wait(4, None) for _ in range(200)]
    assert 0 <= min(drawn) < 1 < 3 < max(drawn) <= 4


def test_refused_connections_end_in_an_error(policy, waits):
    with FileServer(".") as gone:
        url = gone.url + NAME
    with pytest.raises(FetchError, match=r"connection failed: .* \(5 attempts\)"):
        fetch(url, digest=SHA, policy=policy)
    assert waits == [0.5, 1, 2, 4]
    assert left_behind() == []


def test_a_stalled_server_is_left_and_resumed(server, waits):
    server.faults[NAME] = [faults.hold_after(100_000)]
    quick = Policy(5, 0.3, sleep=waits.append)
    assert fetch(server.url + NAME, digest=SHA, policy=quick).read_bytes() == DATA
    assert server.requests[1].range == "bytes=100000-"


def test_a_server_that_always_cuts_at_nothing_is_given_up(server, policy, waits):
    server.faults[NAME] = [faults.cut_after(0)] * 10
    with pytest.raises(FetchError, match="5 attempts"):
        fetch(server.url + NAME, digest=SHA, policy=policy)
    assert (server.count(NAME), len(waits)) == (5, 4)


def test_chunked_bodies(server, policy):
    server.faults[NAME] = [faults.chunked(cut=100_000), None]
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA
    server.faults[NAME] = [faults.chunked()]
    assert fetch(server.url + NAME + "?again", policy=policy).read_bytes() == DATA


def test_a_length_that_promises_too_much(server, policy):
    server.faults[NAME] = [faults.bad_length(+10)]
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA
    assert server.count(NAME) > 1


@pytest.mark.parametrize(
    ("code", "says"), [(401, "login"), (403, "login"), (404, "moved"), (410, "moved")]
)
def test_refusals_are_not_repeated(server, policy, waits, code, says):
    server.faults[NAME] = [faults.status(code)]
    with pytest.raises(FetchError, match=f"{code} .*{says}"):
        fetch(server.url + NAME, digest=SHA, policy=policy)
    assert (server.count(NAME), waits, left_behind()) == (1, [], [])


@pytest.mark.parametrize(
    ("fault", "arguments", "says"),
    [
        (faults.html(), {}, "a web page"),
        (faults.html(), {"digest": SHA}, "It is a web page .*Please log in"),
        (faults.html(), {"size": len(DATA)}, "300,000 are expected and sends a web page"),
        (faults.reply(b"\xef\xbb\xbf  <HTML>quota"), {}, "a web page"),
        (faults.reply(b""), {}, "sends nothing instead of data.bin"),
        (faults.reply(b""), {"digest": SHA}, r"expected sha256.*\(0 bytes\)"),
        (faults.reply(DATA[:-1]), {"size": len(DATA)}, "299,999 bytes where 300,000"),
        (faults.bad_length(-10), {"digest": SHA}, "299,990 bytes"),
        (faults.no_length(), {}, "does not say how long"),
        (faults.no_length(), {"size": 100}, "more than the 100 bytes"),
        (faults.wrong_bytes(at=299_999), {"digest": SHA}, "expected sha256"),
    ],
)
def test_a_wrong_file_is_refused_by_name(server, policy, waits, fault, arguments, says):
    server.faults[NAME] = [fault]
    with pytest.raises(FetchError, match=says):
        fetch(server.url + NAME, policy=policy, **arguments)
    assert (server.count(NAME), waits, left_behind()) == (1, [], [])


def test_a_page_is_welcome_where_one_is_asked_for(server):
    server.faults["/index.html"] = [faults.html(b"<html>data</html>")]
    assert fetch(server.url + "/index.html").read_bytes() == b"<html>data</html>"


def test_without_length_a_digest_or_size_tells_the_end(server, policy):
    server.faults[NAME] = [faults.no_length(cut=1000), None]
    assert fetch(server.url + NAME, size=len(DATA), policy=policy).read_bytes() == DATA
    server.faults[NAME] = [faults.no_length()]
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA


def test_content_encoding(server, folder, policy):
    server.faults[NAME] = [faults.content_encoded()]
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    packed = gzip.compress(DATA, mtime=0)
    (folder / "a.gz").write_bytes(packed)  # sent as it is, but announced as a coding
    server.faults["/a.gz"] = [lambda handler: handler.answer(extra={"Content-Encoding": "gzip"})]
    assert fetch(server.url + "/a.gz", policy=policy).read_bytes() == packed


def test_an_address_of_another_kind(policy):
    for url in ("ftp://host/a", "data.bin", "http://[bad/", "C:/a", "https:///a"):
        with pytest.raises(FetchError, match=r"is not an address .* Expected https://"):
            fetch(url, digest=SHA, policy=policy)
    with pytest.raises(FetchError, match="at least one URL"):
        fetch([])


def test_redirects_are_followed_to_an_end(server, policy):
    server.faults["/a"] = [faults.redirect("/b", 301)]
    server.faults["/b"] = [faults.redirect(server.url + NAME, 307)]
    path = fetch(server.url + "/a", digest=SHA, policy=policy)
    assert (path.name, path.read_bytes()) == ("a", DATA)
    server.faults["/loop"] = [faults.redirect("/loop")] * 20
    with pytest.raises(FetchError, match="redirects more than 10 times"):
        fetch(server.url + "/loop", policy=policy)
    assert server.count("/loop") == 11


def test_a_resumed_redirect_keeps_its_range(server, policy):
    server.faults["/a"] = [faults.redirect(NAME)] * 2
    server.faults[NAME] = [faults.cut_after(100_000)]
    assert fetch(server.url + "/a", policy=policy).read_bytes() == DATA
    assert server.requests[-1] == ("GET", NAME, "bytes=100000-")


@pytest.fixture
def certificate(tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = (
        f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 "
        f"-out {files[0]} -keyout {files[1]}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return files


def test_a_certificate_nobody_signed_is_refused(folder, certificate, policy, waits):
    with FileServer(folder, certificate) as server:
        with pytest.raises(FetchError, match="certificate is not valid"):
            fetch(server.url + NAME, digest=SHA, policy=policy)
        assert (server.requests, waits) == ([], [])


def test_https_never_leads_to_http(folder, server, certificate, policy, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    monkeypatch.setattr("domainkit.cache.sources.http._DIRECT", 0)
    with FileServer(folder, certificate) as secure:
        assert fetch(secure.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
        secure.faults["/down"] = [faults.redirect(server.url + NAME)]
        with pytest.raises(FetchError, match=r"from https to http.*refused"):
            fetch(secure.url + "/down", policy=policy)
    assert server.requests == []


CALLED_PAGES = [
    b"<!-- saved from url=1 -->\n<!DOCTYPE html><html>",
    b"<script>location='/login'</script>",
    b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC>",
    b"Please log in.",
]


@pytest.mark.parametrize("body", CALLED_PAGES)
def test_every_kind_of_page_is_refused(server, policy, body):
    server.faults["/data.zip"] = [faults.html(body)]
    with pytest.raises(FetchError, match="a web page"):
        fetch(server.url + "/data.zip", policy=policy)
    assert left_behind() == []


def test_a_text_that_a_server_calls_a_page_is_no_page(server, policy):
    server.faults["/rows.csv"] = [faults.html(b"a,b\n1,2\n")]
    assert fetch(server.url + "/rows.csv", policy=policy).read_bytes() == b"a,b\n1,2\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_policy_in_use_is_free_in_a_forked_child(server, folder):
    """One connection, which a thread of the parent holds; the child has its own."""
    (folder / "b.bin").write_bytes(b"b")
    reached, patience = threading.Event(), Policy(5, 30, jobs=1, bandwidth=1e9)
    server.faults[NAME] = [faults.hold_after(100_000, reached)]

    def bring():
        with contextlib.suppress(FetchError):
            fetch(server.url + NAME, policy=patience, unwanted=ended.is_set)

    ended = threading.Event()
    thread = threading.Thread(target=bring)
    thread.start()
    try:
        assert reached.wait(20)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads
            child = os.fork()
        if child == 0:
            try:
                signal.alarm(20)
                right = fetch(server.url + "/b.bin", policy=patience).read_bytes() == b"b"
            finally:
                os._exit(0 if right else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        ended.set()
        server.closing.set()
        thread.join()
