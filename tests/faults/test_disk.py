"""No room, no permission, something else in the way: said by name, and made good afterwards.

Nothing here is pretended: the size limit is the process's own (RLIMIT_FSIZE), the small disk is a
tmpfs where this user may mount one, and the writer without permission is another user where the
tests run as root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.parse import unquote

import pytest
from support import faults
from support.cache_folder import look
from support.cached import DATA, NAME, SHA
from support.fault_modes import MODES, PIECE

from domainkit.cache import fetch
from domainkit.errors import DigestError, FetchError

pytestmark = [
    pytest.mark.usefixtures("no_hang"),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits and mounts"),
]
modes = pytest.mark.parametrize("mode", MODES, ids=str)

CHILD = """
    import os, sys
    from domainkit.cache import Policy, fetch
    from domainkit.errors import FetchError
    url, digest, ranges = sys.argv[1], sys.argv[2] or None, sys.argv[3] == "True"
    sizes = dict(large=2 * {piece}, piece={piece}, enough=float("inf")) if ranges else dict(jobs=1)
    policy = Policy(5, 5, **sizes)
    {before}
    try:
        print(fetch(url, digest=digest, policy=policy, progress=False))
    except FetchError as error:
        print(type(error).__name__, error)
"""


def child(url: str, mode: object, before: str) -> str:
    """What a process says that fetches the file after doing ``before``."""
    code = textwrap.dedent(CHILD).format(piece=PIECE, before=before)
    digest = SHA if mode.digest else ""
    done = subprocess.run(
        [sys.executable, "-c", code, url, digest, str(mode.ranges)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def no_file(home: Path) -> bool:
    left = look(home)
    return not (left.files or left.records or left.others)


@modes
@pytest.mark.parametrize("limit", [0, 1, 100_000, 299_999])
def test_no_file_may_grow_so_far(mode, limit, server, home, clock):
    """As with a full disk, the write fails in the middle of the file."""
    url = server.url + NAME
    said = child(
        url,
        mode,
        "import resource; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))",
    )
    assert said.startswith("FetchError ")
    assert str(home) in said
    if limit > 4_000:  # below that the lock or the note is what can not be written
        assert "may not grow so large" in said and "DOMAINKIT_HOME" in said
    assert no_file(home)
    path = fetch(url, digest=SHA if mode.digest else None, policy=mode.policy(clock))
    assert path.read_bytes() == DATA
    assert look(home).partial == ()


@pytest.fixture
def small_disk(home):
    """``mount(bytes)`` makes the cache folder a file system of that size."""
    mounted = []

    def mount(size: int, options: str = "") -> Path:
        home.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(home)]
        done = None
        if shutil.which("mount") and os.geteuid() == 0:
            done = subprocess.run(command, check=False, capture_output=True)
        if done is None or done.returncode:
            pytest.skip("this user may not mount a small file system")
        mounted.append(home)
        return home

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


PAGE = 4096
SMALL = DATA[: 10 * PAGE]


@modes
def test_the_disk_is_full(mode, small_disk, server, clock):
    home = small_disk(200_000 // PAGE * PAGE)
    url, digest = server.url + NAME, SHA if mode.digest else None
    with pytest.raises(FetchError, match="disk is full") as caught:
        fetch(url, digest=digest, policy=mode.policy(clock))
    assert type(caught.value) is FetchError
    assert str(home) in str(caught.value) and "DOMAINKIT_HOME" in str(caught.value)
    assert len(server.requests) <= 4 + mode.ranges  # a full disk is no reason to ask again
    assert no_file(home)
    subprocess.run(["mount", "-o", "remount,size=2m", str(home)], check=True)
    assert fetch(url, digest=digest, policy=mode.policy(clock)).read_bytes() == DATA
    assert look(home).partial == ()


@pytest.mark.parametrize("free", range(26))
def test_the_disk_is_full_at_any_step(free, small_disk, server, folder, clock):
    """So many pages are free: the lock, the note, the bytes, the folders or the record fail."""
    home = small_disk(64 * PAGE)
    (home / "files").mkdir()
    filler = home / "files" / "filler"
    filler.write_bytes(bytes((64 - free) * PAGE))
    (folder / "small.bin").write_bytes(SMALL)
    url = server.url + "/small.bin"
    policy = MODES[0].policy(clock)
    try:
        path = fetch(url, policy=policy)
    except FetchError as error:
        assert "disk is full" in str(error) and str(home) in str(error)
        path = None
    filler.unlink()
    left = look(home)
    assert len(left.records) <= len(left.files) <= 1
    if path is None:
        path = fetch(url, policy=policy)
    assert path.read_bytes() == SMALL
    after = look(home)
    assert (len(after.files), len(after.records), after.partial, after.others) == (1, 1, (), ())


@modes
def test_a_file_system_that_is_read_only(mode, small_disk, server, clock):
    home = small_disk(1 << 20, ",ro")
    with pytest.raises(FetchError, match="cannot be written") as caught:
        fetch(server.url + NAME, digest=SHA, policy=mode.policy(clock))
    assert str(home) in str(caught.value) and "DOMAINKIT_HOME" in str(caught.value)
    assert server.requests == []


@modes
def test_another_users_folder(mode, server, home, clock):
    """A folder that may be read and not written."""
    home.mkdir()
    for parent in home.parents:  # the other user has to get there
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    home.chmod(0o555)
    # what is imported late has to be there before the user changes
    before = (
        "import tempfile; there = os.environ['DOMAINKIT_HOME']; "
        "os.environ['DOMAINKIT_HOME'] = tempfile.mkdtemp(); fetch(url, policy=policy); "
        "os.environ['DOMAINKIT_HOME'] = there; os.geteuid() or os.seteuid(65534)"
    )
    said = child(server.url + NAME, mode, before)
    home.chmod(0o755)
    assert said.startswith("FetchError ") and "cannot be written" in said
    assert str(home) in said and "DOMAINKIT_HOME" in said
    assert list(home.iterdir()) == []
    fetch(server.url + NAME, digest=SHA, policy=mode.policy(clock))


@modes
@pytest.mark.parametrize("place", ["", "locks", "partial", "files", "records", "layout.json"])
def test_something_else_lies_in_the_way(mode, place, server, home, clock):
    """A file where a folder belongs, or a folder where a file does."""
    blocker = home / place if place else home
    blocker.parent.mkdir(parents=True, exist_ok=True)
    blocker.mkdir() if place == "layout.json" else blocker.write_bytes(b"mine")
    url, digest = server.url + NAME, SHA if mode.digest else None
    with pytest.raises(FetchError) as caught:
        fetch(url, digest=digest, policy=mode.policy(clock))
    assert str(blocker) in str(caught.value)
    if place != "layout.json":
        assert blocker.read_bytes() == b"mine"
        blocker.unlink()
    else:
        blocker.rmdir()
    assert fetch(url, digest=digest, policy=mode.policy(clock)).read_bytes() == DATA
    assert look(home).partial == ()


ODD = {
    "with%20spaces%20and%20%C3%BCml%C3%A4ut.bin": "with spaces and ümläut.bin",
    "%E6%97%A5%E6%9C%AC%E8%AA%9E.tar.gz": "日本語.tar.gz",
    "..%2F..%2F..%2Fetc%2Fpasswd": "_.._.._etc_passwd",
    "a%5Cb%3Ac%2Ad%3Fe%22f%3Cg%3Eh%7Ci": "a_b_c_d_e_f_g_h_i",
    "new%0Aline%00null%7F": "new_line_null_",
    "%2Ehidden": "hidden",
    "...": "file",
    "trailing.%20.": "trailing",
    "x" * 400 + ".zip": "x" * 116 + ".zip",
    "%E6%97%A5" * 100: "日" * 40,
    "-rf": "-rf",
    "%FF%FE": None,
    "CON": None,
    "nul.txt": None,
    "layout.json": "layout.json",
    ".domainkit.json": "domainkit.json",
    "a.part": "a.part",
    "a%2500.bin": "a%00.bin",
    "emoji%F0%9F%98%80": "emoji😀",
    "?download=1&file=x.bin": None,
}


@pytest.mark.parametrize("given", ODD)
@modes
def test_odd_names(mode, given, server, home, clock):
    server.always[unquote("/set/" + given.partition("?")[0])] = lambda handler: handler.reply(
        200, DATA
    )
    digest = SHA if mode.digest else None
    url = f"{server.url}/set/{given}"
    path = fetch(url, digest=digest, policy=mode.policy(clock))
    assert path.read_bytes() == DATA
    assert ODD[given] in (None, path.name)
    assert path.parent.parent.parent == home / "files"
    assert len(os.fsencode(path.name)) <= 255 and path.name.isprintable()
    assert not set('/\\:*?"<>|') & set(path.name)
    assert path.name.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT1"}
    left = look(home)
    assert (len(left.files), left.partial, left.others) == (1, (), ())
    assert fetch(url, digest=digest, policy=mode.policy(clock)) == path
    assert len(server.requests) <= 1 + mode.ranges


def test_a_damaged_file_under_an_odd_name_is_not_kept(server, home, clock):
    server.always["/set/ü b.bin"] = faults.reply(DATA[1:])
    with pytest.raises(DigestError):
        fetch(f"{server.url}/set/%C3%BC%20b.bin", digest=SHA, policy=MODES[0].policy(clock))
    assert look(home).empty
