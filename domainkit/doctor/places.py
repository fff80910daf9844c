"""What the doctor says of the cache, its disk, and the variables of the environment."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from domainkit import cache
from domainkit.cache.mirrors import offline
from domainkit.cards import DOMAINS
from domainkit.doctor.check import Check
from domainkit.errors import FetchError

__all__ = ["cache_check", "disk_check", "variable_checks"]

VARIABLES = (
    *("BANDWIDTH", "CARDS", "DEADLINE", "DEBUG", "HOME", "JOBS", "MIRROR", "OFFLINE", "SHARED"),
)
LOW_DISK, NO_DISK = 5 * 10**9, 2 * 10**8  # bytes


def cache_check() -> Check:
    home = cache.home()
    place = _existing(home)
    chosen = "set by DOMAINKIT_HOME" if os.environ.get("DOMAINKIT_HOME", "").strip() else "default"
    found = f"{home} ({chosen}{'' if place == home else ', not made yet'})"
    fix = f"allow writing to {place}, or set DOMAINKIT_HOME to another folder"
    if not place.is_dir():
        return Check("cache", "fault", f"{found}: {place} is not a folder", fix)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"domainkit")
        reach = cache.reach_of_locks(place)
    except OSError as error:
        return Check("cache", "fault", f"{found}: cannot be written: {error.strerror}", fix)
    if reach != "all":
        whom = "other machines" if reach == "host" else "other processes"
        found += f": its file system's locks do not hold off {whom}, which may fetch a file again"
        return Check("cache", "warning", found, "set DOMAINKIT_HOME to a folder on a local disk")
    return Check("cache", "ok", f"{found}, can be written")


def disk_check() -> Check:
    place = _existing(cache.home())
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free at {place}"
    fix = "make room (`domainkit cache ls` shows what is kept), or set DOMAINKIT_HOME"
    if free < NO_DISK:
        return Check("disk", "fault", found, fix)
    return Check("disk", "warning", found, fix) if free < LOW_DISK else Check("disk", "ok", found)


def _existing(path: Path) -> Path:
    """The path itself or the nearest folder above that is there."""
    return next((p for p in (path, *path.parents) if p.exists()), Path("."))


def variable_checks() -> Iterator[Check]:
    values = {
        name.removeprefix("DOMAINKIT_"): value
        for name, value in sorted(os.environ.items())
        if name.startswith("DOMAINKIT_")
    }
    network = "forbidden by DOMAINKIT_OFFLINE" if offline() else "used when a file is missing"
    yield Check("network", "ok", network)
    for name, value in values.items():
        state, shown, fix = _variable(name, value)
        yield Check(f"DOMAINKIT_{name}", state, shown, fix)


def _variable(name: str, value: str) -> tuple[str, str, str]:
    if name not in VARIABLES:
        known = ", ".join(f"DOMAINKIT_{v}" for v in VARIABLES)
        return "warning", f"{value}; domainkit knows no such variable", f"known are {known}"
    if name == "CARDS":
        folders = [Path(p).expanduser() for p in value.split(os.pathsep) if p]
        empty = [str(f) for f in folders if not any((f / d).is_dir() for d in DOMAINS)]
        if empty:
            fix = "put cards there as <domain>/<name>.toml, or correct the variable"
            return "warning", f"{value}; no cards in {', '.join(empty)}", fix
    if name == "MIRROR":
        mirrors = [m for m in re.split(r"[\s,]+", value.strip()) if m]
        shown = ", ".join(_without_password(m) for m in mirrors)
        if any("://" not in m for m in mirrors):
            return "warning", shown, "write each mirror as https://host/path or file:///path"
        return "ok", shown, ""
    if name == "SHARED":
        folders = [Path(p).expanduser() for p in value.split(os.pathsep) if p]
        missing = [str(f) for f in folders if not (f / "layout.json").is_file()]
        if missing:
            fix = "correct the variable; it names cache folders that others have filled"
            return "warning", f"{value}; no cache in {', '.join(missing)}", fix
    if name in ("BANDWIDTH", "DEADLINE", "JOBS"):
        try:
            cache.Policy.from_environment()
        except FetchError as error:
            return "fault", value, str(error)
    return "ok", value, ""


def _without_password(url: str) -> str:
    """A report gets pasted into public places.

    Example:
        >>> _without_password("https://me:secret@host/x")
        'https://***@host/x'
    """
    return re.sub(r"//[^/@]*@", "//***@", url)
