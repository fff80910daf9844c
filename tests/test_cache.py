"""fetch against a real server that misbehaves: the right file, or an error that says why."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from support import server as faults
from support.server import FileServer

from domainkit import cache
from domainkit.cache import Policy, fetch
from domainkit.errors import DigestError, FetchError, OfflineError

DATA = random.Random(0).randbytes(300_000)
SHA = "sha256:" + hashlib.sha256(DATA).hexdigest()
NAME = "/host/set/data.bin"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for key in ("DOMAINKIT_OFFLINE", "DOMAINKIT_MIRROR", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(key, raising=False)
    for key in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(key, raising=False)
        monkeypatch.delenv(key.upper(), raising=False)
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "served" / NAME.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    return tmp_path / "served"


@pytest.fixture
def server(folder):
    with FileServer(folder) as running:
        yield running


@pytest.fixture
def waits():
    return []


@pytest.fixture
def policy(waits):
    return Policy(5, 5, sleep=waits.append, jitter=lambda: 1.0, clock=lambda: 1_000_000.0)


def left_behind() -> list[str]:
    """Files in the cache, apart from the locks."""
    base = cache.home()
    found = [path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file()]
    return sorted(name for name in found if not name.startswith("locks/"))


# What comes out


def test_a_file_is_fetched_once_and_recorded(server):
    path = fetch(server.url + NAME, digest=SHA, size=len(DATA))
    digits = SHA.removeprefix("sha256:")
    assert path == cache.home() / "files" / "sha256" / digits[:2] / digits / "data.bin"
    assert path.read_bytes() == DATA
    record = json.loads((path.parent / ".domainkit.json").read_text())
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
    assert path.relative_to(cache.home()).parts[:2] == ("files", where)
    (entry,) = cache.entries()
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
    assert found.parent.parent.parent.name == "sha256"
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


# Resuming


def test_a_cut_connection_is_taken_up_where_it_broke(server, policy, waits):
    server.faults[NAME] = [faults.cut_after(100_000)]
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None, "bytes=100000-"]
    assert server.headers[1]["If-Range"].startswith('"')
    assert server.sent[NAME] == len(DATA)
    assert waits == [0.5]


def test_any_cuts_give_the_same_file(server, policy):
    draw = random.Random(1)
    for round_ in range(5):
        cuts = [draw.randrange(1, 60_000) for _ in range(draw.randrange(1, 12))]
        server.faults[NAME] = [faults.cut_after(cut) for cut in cuts]
        path = fetch(f"{server.url}{NAME}?round={round_}", policy=policy)
        assert path.read_bytes() == DATA
    assert server.sent[NAME] == 5 * len(DATA)


def test_a_later_run_goes_on(server, policy):
    server.faults[NAME] = [faults.cut_after(120_000)]
    once = Policy(5, 5, attempts=1)
    with pytest.raises(FetchError, match="could not be fetched"):
        fetch(server.url + NAME, digest=SHA, policy=once)
    assert sum(name.endswith(".part") for name in left_behind()) == 1
    assert fetch(server.url + NAME, digest=SHA, policy=once).read_bytes() == DATA
    assert server.requests[-1].range == "bytes=120000-"
    assert len(left_behind()) == 2


def test_what_is_whole_but_not_renamed_is_not_asked_for_again(server):
    path = fetch(server.url + NAME, digest=SHA)
    digits = SHA.removeprefix("sha256:")
    partial = cache.home() / "partial" / f"sha256-{digits}.part"
    os.replace(path, partial)
    note = {"url": server.url + NAME, "validator": '"x"', "total": len(DATA)}
    partial.with_suffix(".json").write_text(json.dumps(note))
    assert fetch(server.url + NAME, digest=SHA).read_bytes() == DATA
    assert server.count(NAME) == 1


def test_a_spoilt_partial_file_costs_a_new_start_only(server, policy):
    server.faults[NAME] = [faults.cut_after(100_000)]
    with pytest.raises(FetchError):
        fetch(server.url + NAME, digest=SHA, policy=Policy(5, 5, attempts=1))
    (partial,) = (cache.home() / "partial").glob("*.part")
    partial.write_bytes(b"\0" * 100_000)
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None, "bytes=100000-", None]


def weak_tag(handler):
    handler.answer(limit=100_000, extra={"ETag": 'W/"1"', "Last-Modified": ""})
    handler.hang_up()


def fresh_date(handler):
    handler.answer(limit=100_000, extra={"ETag": "", "Last-Modified": handler.date_time_string()})
    handler.hang_up()


@pytest.mark.parametrize("fault", [faults.no_validators(cut=100_000), weak_tag, fresh_date])
def test_without_a_strong_validator_it_starts_again(server, policy, fault):
    server.faults[NAME] = [fault]
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None, None]


def test_an_old_date_is_a_strong_validator(server, folder, policy):
    os.utime(folder / NAME.lstrip("/"), (1_600_000_000, 1_600_000_000))

    def no_tag(handler):
        handler.answer(limit=100_000, extra={"ETag": ""})
        handler.hang_up()

    server.faults[NAME] = [no_tag]
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    assert server.requests[1].range == "bytes=100000-"
    assert server.headers[1]["If-Range"] == "Sun, 13 Sep 2020 12:26:40 GMT"


def test_a_file_that_changed_meanwhile_is_not_mixed(server, folder, policy):
    new = DATA[::-1]

    def cut_and_change(handler):
        faults.cut_after(100_000)(handler)
        (folder / NAME.lstrip("/")).write_bytes(new)

    server.faults[NAME] = [cut_and_change]
    assert fetch(server.url + NAME, policy=policy).read_bytes() == new
    assert server.requests[1].range == "bytes=100000-"


@pytest.mark.parametrize(
    ("answer", "ranges"),
    [
        (faults.ignore_range(), [None, "bytes=100000-"]),
        (faults.wrong_range(), [None, "bytes=100000-", None]),
        (faults.reply(b"", 416), [None, "bytes=100000-", None]),
        (faults.reply(DATA[100_000:], 206), [None, "bytes=100000-", None]),
    ],
)
def test_servers_that_mistreat_ranges(server, policy, answer, ranges):
    server.faults[NAME] = [faults.cut_after(100_000), answer]
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA
    assert [r.range for r in server.requests] == ranges


# Trouble that passes


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


# Trouble that stays


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
    for url in ("ftp://host/a", "data.bin", "http://[bad/"):
        with pytest.raises(FetchError, match="is not an address of the form https"):
            fetch(url, digest=SHA, policy=policy)
    with pytest.raises(FetchError, match="at least one URL"):
        fetch([])


# Redirects and certificates


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
    with FileServer(folder, certificate) as secure:
        assert fetch(secure.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
        secure.faults["/down"] = [faults.redirect(server.url + NAME)]
        with pytest.raises(FetchError, match=r"from https to http.*refused"):
            fetch(secure.url + "/down", policy=policy)
    assert server.requests == []


# Mirrors and offline


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


# Many at once, and sudden ends


def test_threads_fetch_once(server):
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: fetch(server.url + NAME, digest=SHA), range(8)))
    assert (len(paths), server.count(NAME)) == (1, 1)


def start(url: str, digest: str = SHA) -> subprocess.Popen[str]:
    """A process that says it is ready, waits for a line, and fetches."""
    code = (
        "import sys, domainkit.cache as c\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(c.fetch(sys.argv[1], digest=sys.argv[2]), flush=True)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, url, digest],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(cache.__file__).parents[2],
    )


def test_eight_processes_make_one_request(server):
    running = [start(server.url + NAME) for _ in range(8)]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    paths = {process.communicate()[0].strip() for process in running}
    assert [process.returncode for process in running] == [0] * 8
    assert [Path(path).read_bytes() for path in paths] == [DATA]
    assert server.count(NAME) == 1


def test_a_killed_download_is_resumed_and_its_lock_free(server, folder):
    data = DATA * 80  # more than the sockets hold, so that bytes are on disk when it is killed
    (folder / "big.bin").write_bytes(data)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    reached = threading.Event()
    server.faults["/big.bin"] = [faults.hold_after(len(data) - 1000, reached)]
    process = start(server.url + "/big.bin", digest)
    process.stdin.write("go\n")
    process.stdin.flush()
    assert reached.wait(20)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(cache.entries()) == []
    assert fetch(server.url + "/big.bin", digest=digest).read_bytes() == data
    assert int(server.requests[-1].range.removeprefix("bytes=").rstrip("-")) > 1_000_000
    assert server.sent["/big.bin"] < 2 * len(data)


# The disk


def test_a_full_disk_is_said(server, policy, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("domainkit.cache.partial.Partial.append", full)
    with pytest.raises(FetchError, match=r"disk is full.*Make room.*DOMAINKIT_HOME") as caught:
        fetch(server.url + NAME, digest=SHA, policy=policy)
    assert str(cache.home()) in str(caught.value)
    monkeypatch.undo()


def test_a_folder_that_cannot_be_written_is_said(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "file" / "cache"))
    with pytest.raises(FetchError, match=r"file/cache/locks: cannot be written.*DOMAINKIT_HOME"):
        fetch(server.url + NAME, digest=SHA)
    assert server.requests == []


def test_a_read_only_cache_still_serves(server, monkeypatch):
    path = fetch(server.url + NAME, digest=SHA)

    def refuse(*unused, **more):
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "utime", refuse)
    assert fetch(server.url + NAME, digest=SHA) == path


# Upkeep


def test_entries_verify_and_remove(server, folder):
    (folder / "b.bin").write_bytes(b"b")
    first, second = fetch(server.url + NAME, digest=SHA), fetch(server.url + "/b.bin")
    os.utime(first.parent / ".domainkit.json", (1000, 1000))
    found = {entry.path: entry for entry in cache.entries()}
    assert set(found) == {first, second}
    assert (found[first].size, found[first].last_used) == (len(DATA), 1000)
    assert (found[first].urls, found[first].digest) == ((server.url + NAME,), SHA)
    assert (found[second].digest, found[second].trusted_on_first_use) == (None, True)
    fetch(server.url + NAME, digest=SHA)
    assert {e.path: e.last_used for e in cache.entries()}[first] > 1_000_000
    for path in (first, second):
        cache.verify(path)
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(DigestError, match=r"is damaged: expected sha256:\w+, got sha256"):
            cache.verify(path)
    for entry in list(cache.entries()):
        cache.remove(entry)
    assert left_behind() == []
    assert list((cache.home() / "files").iterdir()) == []
    with pytest.raises(FetchError, match="not a file of the cache"):
        cache.verify(first)


def test_a_file_cut_short_on_disk_is_fetched_again(server):
    path = fetch(server.url + NAME, digest=SHA)
    path.write_bytes(DATA[:1000])
    assert fetch(server.url + NAME, digest=SHA).read_bytes() == DATA
    assert server.count(NAME) == 2


def test_the_first_copy_is_held_to(server, folder, policy):
    path = fetch(server.url + NAME)
    path.unlink()
    (folder / NAME.lstrip("/")).write_bytes(DATA[::-1])
    with pytest.raises(DigestError, match="recorded when the file was first fetched"):
        fetch(server.url + NAME, policy=policy)
    (folder / NAME.lstrip("/")).write_bytes(DATA)
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA


def test_a_record_nobody_can_read_counts_for_nothing(server):
    path = fetch(server.url + NAME, digest=SHA)
    (path.parent / ".domainkit.json").write_text("{")
    assert list(cache.entries()) == []
    assert fetch(server.url + NAME, digest=SHA).read_bytes() == DATA
    assert len(list(cache.entries())) == 1
