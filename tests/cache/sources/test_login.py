"""``.netrc``: which file is read, and whom its passwords are shown, against httpx's reading."""

from __future__ import annotations

import base64
import netrc

import httpx
import pytest
from support.faults import redirect
from support.server import FileServer

from domainkit import cache
from domainkit.cache.sources import login
from domainkit.errors import FetchError

TEXT = """
# passwords for data
machine data.example.org login me password "a b#c"
machine 127.0.0.1
  login local
  password secret
machine nothing.example.org login me
default login anybody password everywhere
"""


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    return tmp_path


def write(path, text=TEXT):
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def sent(url, auth, **headers):
    """The Authorization header with which ``url`` would be asked."""
    request = httpx.Request("GET", url, headers=headers)
    return next(auth.auth_flow(request)).headers.get("Authorization")


def basic(pair):
    return "Basic " + base64.b64encode(pair.encode()).decode()


def test_no_file_is_fine(home):
    assert login.auth() is None


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_the_file_in_the_home_folder(home, name):
    write(home / name)
    assert sent("https://data.example.org/a.zip", login.auth()) == basic("me:a b#c")


def test_netrc_names_another_file_and_leaves_no_other(home, monkeypatch):
    write(home / ".netrc")
    write(home / "elsewhere", "machine data.example.org login you password other")
    monkeypatch.setenv("NETRC", "~/elsewhere")
    assert sent("https://data.example.org/a.zip", login.auth()) == basic("you:other")
    monkeypatch.setenv("NETRC", "/dev/null")
    assert login.auth() is None
    monkeypatch.setenv("NETRC", str(home / "absent"))
    assert login.auth() is None


@pytest.mark.parametrize("host", ["data.example.org", "127.0.0.1:8000", "nothing.example.org"])
def test_it_reads_as_httpx_does(home, host):
    # Python's own reader stumbles over a comment after an empty line
    theirs = httpx.NetRCAuth(str(write(home / "theirs", TEXT.strip())))
    write(home / ".netrc")
    for scheme in ("http", "https"):
        url = f"{scheme}://{host}/a"
        assert sent(url, login.auth()) == sent(url, theirs)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/",
        "https://data.example.org.example.com/",
        "https://sub.data.example.org/",
        "https://other.example.org/data.example.org",
    ],
)
def test_nothing_is_shown_to_hosts_that_are_not_named(home, url):
    write(home / ".netrc")  # its default entry would be sent everywhere
    assert sent(url, login.auth()) is None


def test_a_header_that_is_there_stays(home):
    write(home / ".netrc")
    told = sent("https://data.example.org/a", login.auth(), Authorization="Bearer token")
    assert told == "Bearer token"


def test_a_login_in_the_address_goes_first(home):
    write(home / ".netrc")
    told = sent("https://you:p%20w@data.example.org/a", login.auth())
    assert told == basic("you:p w")


WORDS = [
    "machine a login b password c",
    "machine a\n\tuser b\n\tpassword c\n",
    "machine a login b password c machine d login e password f",
    'machine a login "b c" password "d\\"e\\\\f"',
    "machine a login b password c\\ d#e",
    "machine a login b password #c",
    "machine a password c # comment\nmachine d login machine password login",
    "macdef init\ncd /pub\nmachine x login y password z\n\nmachine a login b password c",
    "machine a login b account c password d\nmachine a login e password f",
    "#comment\n# comment\nmachine a login b password c\n#",
    "machine a login b password pässwörd",
    "",
    "default login b password c",
]


@pytest.mark.parametrize("text", WORDS)
def test_words_are_read_as_python_reads_them(home, text):
    theirs = netrc.netrc(str(write(home / ".netrc", text))).hosts
    for host in ("a", "d", "x", "init"):
        name, account, password = theirs.get(host) or ("", "", "")
        expected = basic(f"{name or account}:{password}") if password else None
        assert sent(f"https://{host}/", login.auth()) == expected


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("machine a login b password c\nmachin d login e password f\n", 2, "no keyword"),
        ("machine a\nlogin b\nsecret c\n", 3, "no keyword"),
        ("# a\n\nlogin b password c\n", 3, "no keyword"),
        ("machine a login b\npassword\n", 2, "nothing after 'password'"),
        ("machine", 1, "nothing after 'machine'"),
    ],
)
def test_a_malformed_file_is_told_by_line_and_not_used(home, text, line, what):
    file = write(home / ".netrc", text)
    with pytest.warns(RuntimeWarning) as caught:
        assert login.auth() is None
    [told] = map(str, (warning.message for warning in caught))
    assert f"{file}, line {line}: " in told and what in told
    assert "Expected `machine <host>" in told and "secret" not in told
    assert login.auth() is None  # and no second warning, which would be an error here


def test_a_malformed_file_blocks_no_download(home, tmp_path, monkeypatch):
    write(home / ".netrc", "machin a login b password c")
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "cache"))
    (tmp_path / "a").write_bytes(b"x")
    with FileServer(tmp_path) as server, pytest.warns(RuntimeWarning, match="line 1"):
        assert cache.fetch(server.url + "/a").read_bytes() == b"x"


def test_a_file_that_cannot_be_read_is_told(home, monkeypatch):
    write(home / ".netrc")

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_text", refused)
    with pytest.raises(FetchError, match=r"\.netrc: cannot be read \(Permission denied\)"):
        login.auth()


def test_a_redirect_takes_no_password_along(home, tmp_path):
    write(home / ".netrc")
    (tmp_path / "a").write_bytes(b"x")
    with FileServer(tmp_path) as server, FileServer(tmp_path) as other:
        server.faults["/a"] = [redirect(other.url.replace("127.0.0.1", "localhost") + "/a")]
        with httpx.Client(auth=login.auth(), trust_env=False, follow_redirects=True) as client:
            assert client.get(server.url + "/a").content == b"x"
        assert server.headers[0]["Authorization"] == basic("local:secret")
        assert "Authorization" not in other.headers[0]
