"""``domainkit list``: names, read from file names alone."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import Annotated

import typer

from domainkit.cards import DOMAINS, list_datasets
from domainkit.cli.options import DOMAIN_HELP, Json, new_app
from domainkit.cli.show import document, line, paint, plural
from domainkit.errors import NotFoundError, nearest

__all__ = ["app"]

app = new_app()


@app.command(short_help="List datasets, models or recipes.")
def list_(
    domain: Annotated[str | None, typer.Argument(metavar="DOMAIN", help=DOMAIN_HELP)] = None,
    models: Annotated[bool, typer.Option("--models", help="List models.")] = False,
    recipes: Annotated[bool, typer.Option("--recipes", help="List recipes.")] = False,
    json: Json = False,
) -> None:
    """List the names of datasets, or of models and recipes.

    With a domain the output is one name per line, ready for other commands.

    \b
    Examples:
      domainkit list
      domainkit list audio --models
      domainkit list text | xargs domainkit download
    """
    if domain is not None and domain not in DOMAINS:
        raise NotFoundError(f"There is no domain {domain!r}. {nearest(domain, DOMAINS)}")
    found: dict[str, list[str]] = {}
    if not (models or recipes):
        found["datasets"] = list_datasets(domain)
    if models:
        from domainkit.model_cards import list_models

        found["models"] = list_models(domain)
    if recipes:
        from domainkit.cli.names import list_recipes

        found["recipes"] = list_recipes(domain)
    if json:
        document({kind: _by_domain(names, domain) for kind, names in found.items()})
        return
    for kind, names in found.items():
        _print(kind, names, domain, len(found) > 1)
    if sys.stdout.isatty():
        shown = ", ".join(plural(len(names), kind[:-1]) for kind, names in found.items())
        line(f"\n{shown}; `domainkit info NAME` tells about one")


def _print(kind: str, names: list[str], domain: str | None, titled: bool) -> None:
    if titled:
        line(paint(kind, "bold"))
    if domain is not None:
        for name in names:
            line(name)
        return
    for part, members in groupby(names, lambda name: name.partition("/")[0]):
        line(paint(part, "bold"))
        for name in members:
            line(f"  {name}")


def _by_domain(names: list[str], domain: str | None) -> dict[str, list[str]]:
    parts = [domain] if domain else DOMAINS
    return {part: [n for n in names if n.startswith(f"{part}/")] for part in parts}
