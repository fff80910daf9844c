"""Locks where they work, where they refuse, and where they only seem to work."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
from support.cached import DATA, NAME, SHA, left_behind

from domainkit import cache
from domainkit.cache import fetch, locks
from domainkit.errors import FetchError

fcntl = pytest.importorskip("fcntl")


@pytest.fixture(autouse=True)
def forget_what_folders_can():
    locks._reach_once.cache_clear()
    yield
    locks._reach_once.cache_clear()


def refuse(code):
    def flock(file, flags):
        raise OSError(code, "no locks here")

    return flock


def test_the_second_waits_for_the_first(capsys):
    order = []

    class Shown(threading.Thread):
        def run(self):
            with cache.lock("a"):
                order.append("second")

    with cache.lock("a") as held:
        assert held.reach == "all"
        assert held.suffix == ""
        second = Shown()
        second.start()
        late = pytest.raises(FetchError, match="another process has been at it for more than 0 s")
        with late, cache.lock("a", timeout=0.0):
            pass
        order.append("first")
    second.join()
    assert order == ["first", "second"]


def test_who_waits_says_so(capsys):
    again = cache.lock("a", shown_as="train.zip", progress=True, timeout=0.1)
    with cache.lock("a"), pytest.raises(FetchError), again:
        pass
    assert "train.zip" in capsys.readouterr().err


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_folder_that_refuses_locks_is_said_and_worked_in(server, monkeypatch, code):
    monkeypatch.setattr(fcntl, "flock", refuse(code))
    with pytest.warns(RuntimeWarning, match="do not hold off processes at all"):
        path = fetch(server.url + NAME, digest=SHA)
    assert path.read_bytes() == DATA
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        path.unlink()
        assert fetch(server.url + NAME, digest=SHA).read_bytes() == DATA
    assert not [name for name in left_behind() if name.startswith("partial")]


def test_locks_that_everybody_gets_are_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", lambda file, flags: None)
    assert locks.reach_of_locks(tmp_path) == "process"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "reach"),
    [
        ("1 0 0:1 / {} rw,relatime - nfs4 server:/x rw,vers=4.2,local_lock=none", "all"),
        ("1 0 0:1 / {} rw,relatime - nfs server:/x rw,vers=3,nolock,local_lock=all", "host"),
        ("1 0 0:1 / {} rw,relatime - lustre mds@tcp:/x rw,localflock", "host"),
        ("1 0 0:1 / {} rw,relatime - ext4 /dev/sda rw,nolock", "all"),
        ("1 0 0:1 / /elsewhere rw - nfs server:/x rw,nolock", "all"),
        ("0 0 0:9 / {} rw - cifs //h/s rw,nobrl", "host"),
        ("0 0 0:9 / {} rw - cifs //h/s rw", "all"),
        ("0 0 0:9 / {} rw - fuse.sshfs u@h:/ rw", "host"),
        ("0 0 0:9 / {} rw - beegfs beegfs_nodev rw", "host"),
        ("0 0 0:9 / {} rw - 9p share rw,trans=virtio", "host"),
        ("0 0 0:9 / {} rw - fuse.mergerfs a:b rw", "all"),
    ],
)
def test_network_mounts_that_keep_locks_to_themselves(tmp_path, monkeypatch, line, reach):
    table = tmp_path / "mountinfo"
    base = "0 0 8:1 / / rw - ext4 /dev/sda rw\n"
    table.write_text(base + line.format(str(tmp_path / "a b").replace(" ", "\\040")) + "\n")
    (tmp_path / "a b").mkdir()
    real = Path.read_text

    def read_text(self, *args, **kwargs):
        return real(table if str(self) == "/proc/self/mountinfo" else self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", read_text)
    assert locks.reach_of_locks(tmp_path / "a b") == reach


def test_without_locks_nobody_shares_unfinished_files(monkeypatch):
    host = locks.Held("host").suffix
    assert locks.Held("all").suffix == ""
    assert host.startswith(".")
    assert locks.Held("process").suffix.startswith(host + "-")
    assert "/" not in host and "." not in host[1:]


def test_threads_wait_for_each_other_even_there(monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    again = cache.lock("a", timeout=0.0)
    with pytest.warns(RuntimeWarning), cache.lock("a"), pytest.raises(FetchError), again:
        pass


def test_a_holder_that_dies_lets_go_at_once():
    code = (
        "import sys, domainkit.cache as c\n"
        "with c.lock('a'): print('held', flush=True); sys.stdin.readline()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(cache.__file__).parents[2],
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(FetchError), cache.lock("a", timeout=0.0):
        pass
    holder.kill()
    holder.communicate()
    with cache.lock("a", timeout=0.0) as held:
        assert held.reach == "all"


def test_a_home_that_cannot_be_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "file" / "home"))
    said = pytest.raises(FetchError, match=r"cannot be written .*DOMAINKIT_HOME")
    with said, cache.lock("a"):
        pass
