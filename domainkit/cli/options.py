"""What the verbs share: how an app is made, and the options that several of them take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["DOMAIN_HELP", "QUIET_HELP", "Json", "Quiet", "new_app"]

QUIET_HELP = "Show no progress."
DOMAIN_HELP = "vision, audio or text; all when left out."


def new_app(**args: Any) -> typer.Typer:
    """An app with plain help, which reads the same in a terminal, a log and a pipe."""
    return typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **args
    )


def _hush(wanted: bool) -> None:
    if wanted:
        from domainkit import progress

        progress.enable(False)


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help=QUIET_HELP, callback=_hush)]
