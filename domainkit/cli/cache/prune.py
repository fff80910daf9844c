"""``domainkit cache prune``: making room by what was not used for the longest time."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated

import typer

from domainkit import cache
from domainkit.cache.homes import check_layout, has_mark
from domainkit.cache.scraps import Leftover, leftovers
from domainkit.cache.upkeep import hold_unused
from domainkit.cli.cache.group import app
from domainkit.cli.cache.items import Item, agreed, contents, day
from domainkit.cli.options import Json
from domainkit.cli.show import complain, document, line, plural, size, table
from domainkit.cli.uses import all_uses
from domainkit.errors import FetchError
from domainkit.prepared import store_leftovers

__all__ = ["prune"]

_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_POWERS = " kmgt"


@dataclass
class Plan:
    """What goes and why, and what would but is in use."""

    going: list[tuple[Item, str]] = field(default_factory=list)
    in_use: list[Item] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(i.size for i, _ in self.going) + sum(left.size for left in self.leftovers)


@app.command(short_help="Make room: take out what was not used for long.")
def prune(
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Take what was not used for so long: 12h, 30d, 8w."),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Then take the longest unused down to so much: 20GB."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go.")] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Take files, prepared splits, unfinished downloads and damaged things out, the longest unused
    first; and always what killed processes left behind.

    What somebody is working with stays, and so do files that were put there by hand. All of it can
    be had again by `domainkit download`. Asks first on a terminal; elsewhere --yes is needed.

    \b
    Examples:
      domainkit cache prune --older-than 30d
      domainkit cache prune --max-size 20GB --dry-run
    """
    age = None if older_than is None else parse_age(older_than)
    most = None if max_size is None else parse_size(max_size)
    _must_be_ours()
    kept = contents(all_uses())
    manual = sum(item.size for item in kept.pop("manual"))
    items = [item for group in kept.values() for item in group]
    plan = make_plan(items, age, most, time.time())
    plan.leftovers = [*leftovers(cache.home()), *store_leftovers()]
    stays = sum(item.size for item in items) - sum(item.size for item, _ in plan.going)
    done = False
    if not json:
        _show(plan, manual)
    if (plan.going or plan.leftovers) and not dry_run:
        if json and not yes:
            raise typer.BadParameter("with --json nobody is asked: give --yes, or --dry-run")
        agreed(f"Remove {size(plan.size)}?", yes, "nothing was removed")
        with cache.lock("prune"):  # one at a time, and only where the cache can be written
            late = [item for item, _ in plan.going if not _took(item)]
            left = [scrap for scrap in plan.leftovers if not _took(scrap)]
        stays += sum(item.size for item in late)
        plan.going = [(item, why) for item, why in plan.going if item not in late]
        plan.leftovers = [scrap for scrap in plan.leftovers if scrap not in left]
        plan.in_use += late
        done = True
    if json:
        _document(plan, done, stays, manual)
    else:
        _tell(plan, done, dry_run, stays, most)


def _must_be_ours() -> None:
    """Somebody may have set DOMAINKIT_HOME to a folder with other things in it."""
    base = cache.home()
    check_layout(base)
    if base.is_dir() and not has_mark(base) and any(base.iterdir()):
        raise FetchError(
            f"{base}: is not known to be a cache (it has no layout.json), so nothing is removed "
            "there. Set DOMAINKIT_HOME to the folder of the cache; `domainkit doctor` shows it."
        )


def make_plan(items: Iterable[Item], age: float | None, most: int | None, now: float) -> Plan:
    """What has to go so that nothing is older than ``age`` seconds nor all larger than ``most``."""
    plan = Plan()
    rest = sorted(items, key=lambda item: item.last_used)
    total = sum(item.size for item in rest)
    for item in rest:
        unused = now - item.last_used
        if age is not None and unused > age:
            why = f"not used for {_duration(unused)}"
        elif most is not None and total > most:
            why = f"longest unused, for more than {size(most)} in all"
        else:
            continue
        if in_use(item):
            plan.in_use.append(item)
            continue
        plan.going.append((item, why))
        total -= item.size
    return plan


def _took(thing: Item | Leftover) -> bool:
    if thing.take is not None:
        with suppress(OSError):  # Windows keeps what somebody has open
            return thing.take()
    return False


def in_use(item: Item) -> bool:
    """Whether somebody works on it, or makes something of it."""
    if not os.access(cache.home() / "locks", os.W_OK):  # nobody can, or nobody ever did
        return False
    with hold_unused(item.locks()) as free:
        return not free


def parse_age(text: str) -> float:
    """Seconds of ``"30d"``.

    Example:
        >>> parse_age("12h"), parse_age("2 w")
        (43200.0, 1209600.0)
    """
    found = re.fullmatch(r"(\d+\.?\d*)\s*([mhdw])", text.strip().lower())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no age: write it like 90m, 12h, 30d or 8w")
    return float(found[1]) * _SECONDS[found[2]]


def parse_size(text: str) -> int:
    """Bytes of ``"20GB"``; powers of 1000, and of 1024 with an ``i``.

    Example:
        >>> parse_size("20GB"), parse_size("1.5 MiB"), parse_size("0")
        (20000000000, 1572864, 0)
    """
    found = re.fullmatch(r"(\d+\.?\d*)\s*([kmgt]?)(i?)b?", text.strip().lower())
    if found is None or (found[3] and not found[2]):
        raise typer.BadParameter(f"{text!r} is no size: write it like 500MB, 20GB or 1.5TiB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS.index(found[2] or " "))


def _show(plan: Plan, manual: int) -> None:
    rows = [(size(i.size), day(i.last_used), _named(i), why) for i, why in plan.going]
    for scrap in plan.leftovers:
        place = scrap.path.relative_to(cache.home()).as_posix()
        rows.append((size(scrap.size), day(scrap.changed), place, f"left behind: {scrap.why}"))
    if rows:
        table(rows, right=(0,))
    for item in plan.in_use:
        line(f"{_named(item)} stays, {size(item.size)}: in use now")
    if manual:
        line(f"{size(manual)} put there by hand stay, and are not counted")


def _tell(plan: Plan, done: bool, dry_run: bool, stays: int, most: int | None) -> None:
    count = plural(len(plan.going) + len(plan.leftovers), "item")
    if done:
        line(f"removed {count}, {size(plan.size)}; {size(stays)} left in {cache.home()}")
    elif dry_run and (plan.going or plan.leftovers):
        line(f"would remove {count}, {size(plan.size)}; {size(stays)} would be left")
    else:
        line(f"nothing to remove; {size(stays)} in {cache.home()}")
    if most is not None and stays > most:
        complain(f"{size(stays)} are still more than {size(most)}: the rest is in use")


def _document(plan: Plan, done: bool, stays: int, manual: int) -> None:
    document(
        {
            "removed": done,
            "bytes": plan.size,
            "left": stays,
            "manual": manual,
            "items": [{**item.document(), "why": why} for item, why in plan.going],
            "leftovers": [
                {"path": str(scrap.path), "bytes": scrap.size, "why": scrap.why}
                for scrap in plan.leftovers
            ],
            "in_use": [item.document() for item in plan.in_use],
        }
    )


def _named(item: Item) -> str:
    others = [name for name in item.users if not item.label.startswith(name)]
    return f"{item.label} ({', '.join(others)})" if others else item.label


def _duration(seconds: float) -> str:
    for unit, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            return plural(int(seconds // unit), word)
    return "a moment"
