"""``domainkit verify``: are the bytes on disk still the ones that the cards promise?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from domainkit import cache
from domainkit.cache.digest import Digest, sums_of
from domainkit.cache.homes import shared_homes
from domainkit.cards import DIGESTS, Card, FileSpec
from domainkit.cli.held import HeldFile, Prepared, held_file, prepared_split
from domainkit.cli.names import find
from domainkit.cli.options import Json, Quiet, new_app
from domainkit.cli.show import complain, document, line, paint, plural, size
from domainkit.errors import DigestError, DomainkitError
from domainkit.model_cards import ModelCard
from domainkit.prepared import check_store
from domainkit.progress import bar

__all__ = ["app"]

COLOURS = {"ok": "green", "absent": "yellow", "damaged": "red"}

app = new_app()


@dataclass(frozen=True)
class Finding:
    """What was found of one file, split or set of weights; ``state`` is ok, absent or damaged."""

    name: str
    part: str
    state: str
    note: str


@app.command(short_help="Hold files on disk to their digests again.")
def verify(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Datasets or models.")],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read the files of datasets and models again and hold them to their digests.

    Reads each prepared split again too, and holds it to the checksums taken while it was written
    and to the card's number of rows. Nothing is changed: `domainkit cache verify` puts damaged
    things aside. Exit code 1 means damage; what was never downloaded is told, and is no damage.

    \b
    Examples:
      domainkit verify vision/fashion-mnist
      domainkit verify audio/yesno text/imdb --json
    """
    cards = [find(name, ("dataset", "model")) for name in dict.fromkeys(names)]
    findings = [finding for card in cards for finding in _findings(card)]
    damaged = sorted({finding.name for finding in findings if finding.state == "damaged"})
    if json:
        document({"ok": not damaged, "findings": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    for name in damaged:
        complain(
            f"{name} is damaged: run `domainkit cache verify {name}`, which puts what is damaged "
            f"aside, then `domainkit download {name}`. Files that come with domainkit are mended "
            "by installing it again."
        )
    if damaged and shared_homes():
        complain(
            "What lies in a shared cache is mended by whoever keeps it; without DOMAINKIT_SHARED "
            "this machine gets a copy of its own."
        )
    if damaged:
        raise typer.Exit(1)


def _findings(card: Card | ModelCard) -> Iterator[Finding]:
    if isinstance(card, ModelCard):
        specs = {f"weights {spec.name}": spec.file for spec in card.weights.values()}
    else:
        specs = {f"file {spec.key}": spec for spec in card.files.values()}
    files = {part: held_file(card.name, spec) for part, spec in specs.items()}
    splits = {}
    if isinstance(card, Card):
        splits = {spec.name: prepared_split(card, spec.name) for spec in card.splits.values()}
    total = sum(file.size or 0 for file in files.values() if file.here)
    total += sum(split.size for split in splits.values() if split)
    with bar(f"verify {card.name}", total, unit="B", enabled=None if total else False) as shown:
        for part, file in files.items():
            yield Finding(card.name, part, *_file(file, shown.advance))
        for name, split in splits.items():
            rows = card.splits[name].rows if isinstance(card, Card) else None
            yield Finding(card.name, f"split {name}", *_split(split, rows, shown.advance))


def _file(held: HeldFile, advance: Callable[[int], None]) -> tuple[str, str]:
    spec = held.spec
    if held.state == "absent":
        how = "not downloaded" if spec.urls else "not put in place by hand yet"
        return "absent", how
    if held.state == "damaged" or held.path is None:
        return "damaged", f"{held.path or spec.path} is missing or has another size than recorded"
    try:
        if held.entry is not None:
            cache.verify(held.path, advance=advance)
        else:
            _check(held.path, spec, advance)
    except (DomainkitError, OSError) as error:
        return "damaged", str(error)
    return "ok", f"{size(held.size or 0)}, {_promise(spec, held)}"


def _check(path: Path, spec: FileSpec, advance: Callable[[int], None]) -> None:
    """What ``cache.check`` does, with progress: such a file may have a hundred gigabytes."""
    cache.check(path, size=spec.size)
    if spec.digest is None:
        return
    promise = Digest.parse(spec.digest)
    sums = sums_of(path, promise.algorithm, advance=advance)
    if not promise.matches(sums):
        got = f"{promise.algorithm}:{sums.hex(promise.algorithm)}"
        raise DigestError(f"{path}: is damaged: expected {promise}, got {got}")


def _promise(spec: FileSpec, held: HeldFile) -> str:
    if spec.digest is not None:
        kind, _, digits = spec.digest.partition(":")
        if len(digits) == DIGESTS[kind]:
            return f"{kind} as the card has it"
        told = f"{kind} starts with {digits}, the prefix that the card has"
        return told if held.entry is None else f"{told}; still sha256:{held.entry.sha256}"
    if held.entry is not None:
        return f"trusted on first use, still sha256:{held.entry.sha256}"
    return "no digest to check it by"


def _split(
    held: Prepared | None, rows: int | None, advance: Callable[[int], None]
) -> tuple[str, str]:
    if held is None:
        return "absent", "not prepared"
    from domainkit.store import Store

    try:
        found = check_store(held.folder, advance)
        Store(held.folder)  # its columns and footers too
    except (DomainkitError, OSError) as error:
        return "damaged", str(error)
    if rows is not None and found != rows:
        return "damaged", f"{held.folder} has {found:,} rows, the card says {rows:,}"
    return "ok", f"{plural(found, 'row')}, {size(held.size)}"


def _print(findings: list[Finding]) -> None:
    name = None
    for finding in findings:
        if finding.name != name:
            name = finding.name
            line(paint(name, "bold"))
        state = paint(finding.state.ljust(7), COLOURS[finding.state])
        line(f"  {state}  {finding.part}: {finding.note}")
