"""Locks that processes share through the cache folder, and how far they can be trusted.

The system's own file locks (``flock``) are used, which end with the process that holds them. Not
every folder has them: some network file systems refuse, some say yes to everybody, and some keep
them on each machine to itself. That is found out before the first use of a folder and said once.
Work then goes on in files that no other process touches, so that the worst that can happen is that
something is fetched twice.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from domainkit.cache.layout import home, mark_layout
from domainkit.errors import FetchError
from domainkit.progress import bar

__all__ = ["FULL", "Held", "lock", "lock_path", "reach_of_locks"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EPERM)
_SHARED = {"fuse.sshfs", "beegfs", "9p", "virtiofs", "vboxsf", "fuse.vmhgfs-fuse", "fuse.prl_fs"}
_POLL_SECONDS = 0.05
_NAP = 0.25  # seconds; who waits looks up this often
_inside: dict[str, threading.Lock] = {}  # this process's own locks, where the folder has none
_inside_guard = threading.Lock()


@dataclass(frozen=True)
class Held:
    """A lock that is held; ``reach`` says against whom: "all", this "host", or this "process"."""

    reach: str

    @property
    def suffix(self) -> str:
        """What makes a file's name our own among those whom the lock does not hold off."""
        host = re.sub(r"[^\w-]", "_", socket.gethostname())
        return {"all": "", "host": f".{host}"}.get(self.reach, f".{host}-{os.getpid()}")


@contextmanager
def lock(
    name: str,
    *,
    shown_as: str | None = None,
    progress: bool | None = None,
    timeout: float | None = None,
    unwanted: Callable[[], bool] | None = None,
) -> Iterator[Held]:
    """Held by one process and thread at a time; the others wait, and say so on their progress line.

    The system releases it when the holder dies.

    Args:
        name: who asks for the same name waits for each other; it names the lock's file.
        shown_as: what the progress line says instead of ``name``.
        progress: show that line; None as ``domainkit.progress`` is set.
        timeout: seconds to wait at most.
        unwanted: asked now and then; when it says True the wait ends.

    Raises:
        FetchError: the cache folder cannot be written, or the wait was too long or was ended.

    Example:
        >>> with lock("prepare-vision-mnist") as held:
        ...     held.reach
        'all'
    """
    path = lock_path(name)
    _make_writable(path.parent)
    reach = _reach_once(str(path.parent))
    taken = _ThreadLock(path) if reach == "process" else _FileLock(path)
    if not _try(taken, path, 0.0):
        until = None if timeout is None else time.monotonic() + timeout
        with bar(shown_as or name, None, enabled=progress) as shown:
            shown.note("another process is at it, waiting")
            while not _try(taken, path, _NAP):
                if until is not None and time.monotonic() >= until:
                    raise FetchError(
                        f"{shown_as or name}: another process has been at it for more than "
                        f"{timeout:.0f} s. Wait for it, or allow more time."
                    )
                if unwanted is not None and unwanted():
                    raise FetchError(f"{shown_as or name}: is not wanted any more.")
    try:
        yield Held(reach)
    finally:
        taken.release()


def lock_path(name: str) -> Path:
    """The file of a lock.

    Example:
        >>> lock_path("prepare-vision/mnist-train").name
        'prepare-vision_mnist-train.lock'
    """
    return home() / "locks" / (re.sub(r"[^\w.-]", "_", name) + ".lock")


def reach_of_locks(folder: Path) -> str:
    """Against whom a lock in a folder holds: "all", this "host" alone, or this "process" alone.

    Takes a lock twice, which must not succeed, and looks up how a network file system was mounted.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     reach_of_locks(Path(folder))
        'all'
    """
    try:
        import fcntl
    except ImportError:  # Windows, where file locks are part of opening a file
        return "all"
    path = folder / f".test-{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}"
    try:
        with path.open("w") as first, path.open("w") as second:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return "host" if _kept_on_this_host(folder) else "all"
            return "process"  # two had the lock at once
    except OSError as error:
        if error.errno in _REFUSED:
            return "process"
        raise
    finally:
        path.unlink(missing_ok=True)


@lru_cache(maxsize=64)
def _reach_once(folder: str) -> str:
    reach = reach_of_locks(Path(folder))
    if reach != "all":
        whom = "of other machines" if reach == "host" else "at all"
        warnings.warn(
            f"{folder}: file locks on this file system do not hold off processes {whom}. "
            "Downloads stay right, but several processes may fetch the same file. Set "
            "DOMAINKIT_HOME to a local folder, or mount this one with working locks.",
            RuntimeWarning,
            stacklevel=4,
        )
    return reach


def _kept_on_this_host(folder: Path) -> bool:
    """Whether the folder is on a network file system whose locks do not leave this machine.

    NFS, Lustre and SMB may be mounted so. Of BeeGFS, sshfs and folders that a host machine shares
    with its guests it is the rule, or cannot be seen: they are taken not to hold machines off.
    """
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        place = folder.resolve()
    except OSError:
        return False
    best, options = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        fields, rest = left.split(), right.split()
        mount = Path(re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), fields[4]))
        if len(rest) > 2 and place.is_relative_to(mount) and len(mount.parts) >= best:
            best, options = len(mount.parts), f"{rest[0]} {fields[5]},{rest[2]}"
    kind, _, flags = options.partition(" ")
    local = {"nolock", "local_lock=all", "local_lock=flock", "localflock", "nobrl"}
    told = kind.startswith(("nfs", "lustre", "cifs", "smb")) and local & set(flags.split(","))
    return bool(told) or kind in _SHARED


def _try(taken: _FileLock | _ThreadLock, path: Path, seconds: float) -> bool:
    try:
        return taken.acquire(seconds)
    except OSError as error:
        raise FetchError(
            f"{path}: cannot be locked ({error.strerror or error}). Where several people share a "
            "cache, all of them need to write there; name one that is only read by "
            "DOMAINKIT_SHARED."
        ) from error


class _FileLock:
    """The system's lock on a file."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self._lock = FileLock(path)

    def acquire(self, seconds: float) -> bool:
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=seconds, poll_interval=_POLL_SECONDS)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        self._lock.release()


class _ThreadLock:
    """A lock among the threads of this process, for folders whose files cannot be locked."""

    def __init__(self, path: Path) -> None:
        with _inside_guard:
            self._lock = _inside.setdefault(str(path), threading.Lock())

    def acquire(self, seconds: float) -> bool:
        return self._lock.acquire(timeout=seconds)

    def release(self) -> None:
        self._lock.release()


def _make_writable(folder: Path) -> None:
    reason: object = "permission denied"
    try:
        mark_layout(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return
    except FetchError:  # another layout
        raise
    except OSError as error:
        if error.errno in FULL:
            raise FetchError(
                f"{folder}: the disk is full. Make room there, or set DOMAINKIT_HOME to another "
                "folder."
            ) from error
        reason = error
    raise FetchError(
        f"{folder}: cannot be written ({reason}). Allow writing there, or set DOMAINKIT_HOME to "
        "another folder. A cache that is shared for reading is named by DOMAINKIT_SHARED."
    )


if hasattr(os, "register_at_fork"):
    # what threads held is nobody's in the child
    os.register_at_fork(after_in_child=_inside.clear)
