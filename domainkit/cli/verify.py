"""``domainkit verify``: are the bytes on disk still the ones that the cards promise?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from domainkit import cache
from domainkit.cards import DIGESTS, Card, FileSpec, SplitSpec
from domainkit.cli.held import HeldFile, held_file, prepared_split
from domainkit.cli.names import find
from domainkit.cli.options import Json, Quiet, new_app
from domainkit.cli.show import complain, document, line, paint, plural, size
from domainkit.errors import DomainkitError
from domainkit.model_cards import ModelCard
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
    and to the card's number of rows. Exit code 1 means damage; what was never downloaded is told,
    and is no damage.

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
            f"{name} is damaged: run `domainkit cache rm {name}`, then `domainkit download "
            f"{name}`. Files that come with domainkit are mended by installing it again."
        )
    if damaged:
        raise typer.Exit(1)


def _findings(card: Card | ModelCard) -> Iterator[Finding]:
    if isinstance(card, ModelCard):
        specs = {f"weights {spec.name}": spec.file for spec in card.weights.values()}
    else:
        specs = {f"file {spec.key}": spec for spec in card.files.values()}
    held = {part: held_file(card.name, spec) for part, spec in specs.items()}
    total = sum(file.size or 0 for file in held.values() if file.here)
    with bar(f"verify {card.name}", total, unit="B", enabled=None if total else False) as progress:
        for part, file in held.items():
            yield Finding(card.name, part, *_file(file))
            progress.advance(file.size or 0 if file.here else 0)
    if isinstance(card, Card):
        for split in card.splits.values():
            yield Finding(card.name, f"split {split.name}", *_split(card, split))


def _file(held: HeldFile) -> tuple[str, str]:
    spec = held.spec
    if held.state == "absent":
        how = "not downloaded" if spec.urls else "not put in place by hand yet"
        return "absent", how
    if held.state == "damaged" or held.path is None:
        return "damaged", f"{held.path or spec.path} is missing or has another size than recorded"
    try:
        if held.entry is not None:
            cache.verify(held.path)
        else:
            cache.check(held.path, digest=spec.digest, size=spec.size)
    except (DomainkitError, OSError) as error:
        return "damaged", str(error)
    return "ok", f"{size(held.size or 0)}, {_promise(spec, held)}"


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


def _split(card: Card, spec: SplitSpec) -> tuple[str, str]:
    held = prepared_split(card, spec.name)
    if held is None:
        return "absent", "not prepared"
    from domainkit.store import Store

    try:
        store = Store(held.folder)
        store.verify()
    except (DomainkitError, OSError) as error:
        return "damaged", str(error)
    if spec.rows is not None and len(store) != spec.rows:
        return "damaged", f"{held.folder} has {len(store):,} rows, the card says {spec.rows:,}"
    return "ok", f"{plural(len(store), 'row')}, {size(store.nbytes)}"


def _print(findings: list[Finding]) -> None:
    name = None
    for finding in findings:
        if finding.name != name:
            name = finding.name
            line(paint(name, "bold"))
        state = paint(finding.state.ljust(7), COLOURS[finding.state])
        line(f"  {state}  {finding.part}: {finding.note}")
