"""``domainkit cache verify``: reading everything again, and putting aside what is damaged."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from domainkit import cache
from domainkit.cache.homes import check_layout
from domainkit.cache.quarantine import put_aside
from domainkit.cache.records import Entry
from domainkit.cache.upkeep import fault_of
from domainkit.cli.cache.group import app
from domainkit.cli.cache.items import by_content
from domainkit.cli.held import Prepared, all_prepared
from domainkit.cli.names import find
from domainkit.cli.options import Json, Quiet
from domainkit.cli.show import complain, document, line, paint, plural, size
from domainkit.cli.uses import Uses, all_uses
from domainkit.errors import FetchError, NotFoundError, StoreError
from domainkit.prepared import LAYOUT, check_store
from domainkit.progress import Progress, bar

__all__ = ["verify"]

SHOWN = 20  # names in a list


@dataclass(frozen=True)
class Finding:
    """What was found of one file or prepared split.

    Attributes:
        state: "ok", "damaged", "unread" where this user may not read it, or "other" for a split
            that another version of domainkit prepared, which alone can check it.
        note: why, or by what it was held.
        quarantined: where it was put, None where it stayed.
    """

    path: str
    size: int
    state: str
    note: str
    used_by: tuple[str, ...]
    trusted_on_first_use: bool = False
    quarantined: str | None = None


@app.command(short_help="Read everything again, put aside what is damaged.")
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Datasets or models; all when left out."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read files and prepared splits again and hold them to their digests and checksums.

    What is damaged is moved to the folder `quarantine` of the cache, and exit code 1 tells of it;
    the next download brings it again. A cache that cannot be written is read only.

    \b
    Examples:
      domainkit cache verify
      domainkit cache verify vision/cifar10 --json
    """
    wanted = None if not names else set(names)
    uses = all_uses()
    check_layout(cache.home())
    files = by_content(cache.entries())
    splits = [split for split in all_prepared() if split.rows is not None or _ours(split)]
    if wanted is not None:
        for name in sorted(wanted):
            _known(name, splits)
        files = [same for same in files if wanted & set(uses.of(e.key for e in same))]
        splits = [split for split in splits if split.name in wanted]
    total = sum(_size(same[0].path) for same in files) + sum(split.size for split in splits)
    findings = []
    with bar("verify the cache", total, "B", None if total else False) as shown:
        findings += [_file(same, uses, shown) for same in files]
        findings += [_split(split, shown) for split in splits]
    bad = [finding for finding in findings if finding.state not in ("ok", "other")]
    if json:
        document({"ok": not bad, "folder": str(cache.home()), "findings": [*map(asdict, findings)]})
    else:
        _tell(findings)
    _advise(bad)
    if bad:
        raise typer.Exit(1)


def _known(name: str, splits: Sequence[Prepared]) -> None:
    if not any(split.name == name for split in splits):
        if name.startswith(("own/", "hf/")):
            raise NotFoundError(
                f"Nothing called {name!r} is in the cache. `domainkit cache ls` shows what is."
            )
        find(name, ("dataset", "model"))


def _ours(split: Prepared) -> bool:
    return (split.folder / "store.json").exists()  # exports to other libraries have no checksums


def _file(same: Sequence[Entry], uses: Uses, shown: Progress) -> Finding:
    first = same[0]
    users = uses.of(entry.key for entry in same)
    trusted = all(entry.trusted_on_first_use for entry in same)
    held = "as it was first fetched" if trusted else "as published"
    why: dict[str, Any] = {"urls": list(first.urls), "used_by": list(users)}

    def check() -> str | None:
        actual = first.path.stat().st_size
        if actual != first.size:
            shown.advance(actual)
            return f"expected {first.size:,} bytes, got {actual:,}"
        return fault_of(same, shown.advance)

    return _judge(
        first.path, check, held, users, trusted,
        lock=f"blob-{first.sha256}", identity=first.sha256, why=why,
    )  # fmt: skip


def _split(split: Prepared, shown: Progress) -> Finding:
    if split.layout not in (None, LAYOUT):
        shown.advance(split.size)
        note = "prepared by another version of domainkit, which alone can check it"
        return Finding(str(split.folder), split.size, "other", note, (split.name,))

    def check() -> str | None:
        try:
            rows = check_store(split.folder, shown.advance)
        except StoreError as error:
            if isinstance(error.__cause__, PermissionError):
                raise error.__cause__ from None
            return re.split(": (?:remove|run) ", str(error), maxsplit=1)[0]
        return None if rows == split.rows else f"expected {split.rows} rows, got {rows}"

    place = split.folder.relative_to(cache.home()).as_posix()
    return _judge(
        split.folder, check, "as it was written", (split.name,), False,
        lock=split.lock, identity=hashlib.sha256(place.encode()).hexdigest(),
        why={"used_by": [split.name], "split": split.split},
    )  # fmt: skip


def _judge(
    path: Path,
    check: Callable[[], str | None],
    held: str,
    users: tuple[str, ...],
    trusted: bool,
    *,
    lock: str,
    identity: str,
    why: dict[str, Any],
) -> Finding:
    """Checks one thing, and puts it aside where it is damaged and still the one that was read."""
    count = _size(path)
    gone = Finding(str(path), 0, "ok", "was removed meanwhile", users, trusted)
    before = None
    try:
        before = _version(path)
        fault = check()
    except FileNotFoundError as error:
        if not os.path.lexists(path):
            return gone
        fault = f"cannot be read ({error})"
    except PermissionError as error:
        return Finding(str(path), count, "unread", str(error), users, trusted)
    except OSError as error:  # a bad disk
        fault = f"cannot be read ({error})"
    if fault is None:
        return Finding(str(path), count, "ok", held, users, trusted)
    target = None
    try:
        with cache.lock(lock, shown_as=path.name):
            if _version(path) == before:
                target = put_aside(cache.home(), identity, path, {"why": fault, **why})
            else:
                fault += "; somebody has replaced it meanwhile"
    except (FetchError, OSError) as error:
        if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
            return gone
        fault += f"; it stays there, as the cache cannot be written ({error})"
    place = None if target is None else str(target)
    return Finding(str(path), count, "damaged", fault, users, trusted, place)


def _version(path: Path) -> tuple[int, int, int]:
    """Tells a file or folder from the one that takes its place."""
    stat = os.stat(path)
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _size(path: Path) -> int:
    try:
        if path.is_dir():
            return sum(file.stat().st_size for file in path.iterdir())
        return path.stat().st_size
    except OSError:
        return 0


def _tell(findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.state != "ok":
            colour = "yellow" if finding.state == "other" else "red"
            line(f"{paint(finding.state, colour)}  {finding.path}: {finding.note}")
            if finding.quarantined:
                line(f"  now at {finding.quarantined}")
    trusted = [finding for finding in findings if finding.trusted_on_first_use]
    if trusted:
        line(
            f"{plural(len(trusted), 'file')} without a published digest, held to the first copy "
            "(trusted on first use):"
        )
        for finding in trusted[:SHOWN]:
            line(f"  {Path(finding.path).name}  {', '.join(finding.used_by)}".rstrip())
        if len(trusted) > SHOWN:
            line(f"  and {len(trusted) - SHOWN} more, which --json tells")
    well = [finding for finding in findings if finding.state == "ok"]
    line(f"{plural(len(well), 'item')} ok, {size(sum(finding.size for finding in well))}")


def _advise(bad: Sequence[Finding]) -> None:
    damaged = [finding for finding in bad if finding.state == "damaged"]
    if not damaged:
        return
    stays = [finding for finding in damaged if finding.quarantined is None]
    if len(stays) == len(damaged):
        complain(
            f"{plural(len(damaged), 'item')} damaged, of which nothing could be put aside: whoever "
            "may write this cache mends it, or set DOMAINKIT_HOME to another folder"
        )
        return
    names = sorted({n for f in damaged for n in f.used_by if not n.startswith(("own/", "hf/"))})
    again = f"`domainkit download {' '.join(names)}` brings" if names else "the next use brings"
    complain(f"{plural(len(damaged), 'item')} damaged: {again} back what is needed")
