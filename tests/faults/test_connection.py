"""Addresses that lead nowhere, elsewhere, or to somebody who can not prove who they are."""

from __future__ import annotations

import socket

import pytest
from support import faults
from support.cache_folder import look
from support.cached import DATA, NAME, SHA
from support.certificates import CertificateMaker
from support.fault_modes import MODES
from support.server import FileServer

from domainkit.cache import fetch
from domainkit.errors import FetchError

pytestmark = pytest.mark.usefixtures("no_hang")
modes = pytest.mark.parametrize("mode", MODES, ids=str)


def ask(url, mode, clock, **more):
    digest = SHA if mode.digest else None
    return fetch(url, digest=digest, policy=mode.policy(clock, **more))


@modes
def test_connection_refused(mode, home, clock):
    with FileServer(".") as gone:
        url = gone.url + NAME
    with pytest.raises(FetchError, match=r"connection failed: .*\(5 attempts\)") as caught:
        ask(url, mode, clock)
    assert url in str(caught.value)
    assert clock.waits == [0.5, 1, 2, 4]
    assert look(home).empty


@modes
def test_a_server_that_comes_up_late(mode, home, folder, clock):
    with FileServer(".") as gone:
        port = int(gone.url.rpartition(":")[2])
    started = []

    def sleep(seconds):
        clock.sleep_for(seconds)
        if len(clock.waits) == 2:
            started.append(FileServer(folder, port=port).__enter__())

    clock.sleep_for, clock.sleep = clock.sleep, sleep
    try:
        path = ask(f"http://127.0.0.1:{port}{NAME}", mode, clock)
        assert path.read_bytes() == DATA
    finally:
        for server in started:
            server.__exit__(None, None, None)


@modes
def test_nobody_answers_the_call(mode, home, clock):
    """Connections that are neither taken nor refused: a full backlog, as behind some firewalls."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            waiting.append(one)
        try:
            policy = mode.policy(clock, 0.3, attempts=2, connect_timeout=0.3)
            with pytest.raises(FetchError, match=r"too long|connection failed"):
                fetch(f"http://127.0.0.1:{port}{NAME}", digest=SHA, policy=policy)
        finally:
            for one in waiting:
                one.close()
    assert look(home).empty


@modes
@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_AGAIN])
def test_a_name_that_nobody_knows(mode, code, home, clock, monkeypatch):
    asked = []

    def unknown(host, *args, **kwargs):
        asked.append(host)
        raise socket.gaierror(code, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    # the tests' guard refuses to leave this machine; here the name is what fails, before that
    monkeypatch.setattr(socket, "create_connection", lambda at, *a, **k: unknown(at[0]))
    url = "http://no-such-host.invalid/data.bin"
    with pytest.raises(FetchError, match=r"connection failed: .*Name or service not known") as seen:
        ask(url, mode, clock)
    assert url in str(seen.value)
    assert set(asked) == {"no-such-host.invalid"}
    assert look(home).empty


@modes
def test_a_chain_of_redirects_is_followed(mode, server, home, clock):
    steps = (301, 302, 303, 307, 308)
    for index, code in enumerate(steps):
        to = f"/{index + 1}/data.bin" if index + 1 < len(steps) else server.url + NAME
        server.always[f"/{index}/data.bin"] = faults.redirect(to, code)
    server.faults[NAME] = [faults.cut_after(10_000)]
    assert ask(server.url + "/0/data.bin", mode, clock).read_bytes() == DATA
    (record,) = look(home).records.values()
    assert record["urls"] == [server.url + "/0/data.bin"]


@modes
@pytest.mark.parametrize("to", ["/a", "/b"])
def test_a_loop_of_redirects_ends(mode, to, server, home, clock):
    server.always["/a"] = faults.redirect(to)
    server.always["/b"] = faults.redirect("/a")
    with pytest.raises(FetchError, match="redirects more than 10 times"):
        ask(server.url + "/a", mode, clock)
    assert len(server.requests) <= 11
    assert (clock.waits, look(home).empty) == ([], True)


@modes
@pytest.mark.parametrize("to", ["file:///etc/hostname", "ftp://127.0.0.1/a", "http://", "http://["])
def test_a_redirect_to_what_is_no_address(mode, to, server, home, clock):
    server.always[NAME] = faults.redirect(to)
    with pytest.raises(FetchError) as caught:
        ask(server.url + NAME, mode, clock)
    assert server.url + NAME in str(caught.value)
    assert look(home).empty


@modes
def test_a_redirect_without_an_address(mode, server, home, clock):
    server.always[NAME] = faults.status(302)
    with pytest.raises(FetchError, match="302"):
        ask(server.url + NAME, mode, clock)
    assert (len(server.requests), look(home).empty) == (1, True)


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    made = CertificateMaker(tmp_path_factory.mktemp("certificates"))
    if not made.works:
        pytest.skip("openssl is not installed")
    return made


CERTIFICATES = {
    "self-signed": {"trusted": False},
    "of another host": {"names": "DNS:example.org"},
    "expired": {"days": (-20, -10)},
    "not valid yet": {"days": (10, 20)},
}


@modes
@pytest.mark.parametrize("which", CERTIFICATES)
def test_a_bad_certificate_is_refused_at_once(mode, which, maker, folder, home, clock, monkeypatch):
    how = dict(CERTIFICATES[which])
    trusted = how.pop("trusted", True)
    files = maker.make(**how)
    if trusted:  # so that the one fault named is the only one
        monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with FileServer(folder, files) as secure:
        with pytest.raises(FetchError, match="certificate is not valid") as caught:
            ask(secure.url + NAME, mode, clock)
        assert secure.url + NAME in str(caught.value)
        assert (secure.requests, clock.waits) == ([], [])
        assert secure.connections == 1
    assert look(home).empty


@modes
def test_a_good_certificate_is_taken(mode, maker, folder, home, clock, monkeypatch):
    files = maker.make()
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with FileServer(folder, files) as secure:
        secure.faults[NAME] = [faults.cut_after(10_000)]
        assert ask(secure.url + NAME, mode, clock).read_bytes() == DATA


@modes
@pytest.mark.parametrize("late", [False, True])
def test_https_never_leads_to_http(mode, late, maker, folder, server, home, clock, monkeypatch):
    """Neither with the first request nor with one for the rest of the file."""
    files = maker.make()
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with FileServer(folder, files) as secure:
        if late:
            secure.faults[NAME] = [faults.cut_after(10_000)]
            secure.always[NAME] = faults.of_parts(faults.redirect(server.url + NAME))
        else:
            secure.always[NAME] = faults.redirect(server.url + NAME)
        with pytest.raises(FetchError, match=r"from https to http.*refused"):
            ask(secure.url + NAME, mode, clock)
    assert server.requests == []
    assert look(home).files == ()


def test_a_tls_server_that_speaks_no_tls(server, home, clock):
    url = server.url.replace("http:", "https:") + NAME
    with pytest.raises(FetchError, match="connection failed"):
        ask(url, MODES[0], clock)
    assert look(home).empty
