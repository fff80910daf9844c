"""What the verbs share: how an app is made, and the options that several of them take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["DOMAIN_HELP", "QUIET_HELP", "Json", "Quiet", "new_app"]

QUIET_HELP = "Show no progress."
JSON_HELP = "One JSON document on stdout, progress as JSON lines on stderr."
DOMAIN_HELP = "vision, audio or text; all when left out."


def new_app(**args: Any) -> typer.Typer:
    """An app with plain help, which reads the same in a terminal, a log and a pipe."""
    return typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **args
    )


def _hush(wanted: bool) -> bool:
    if wanted:
        from domainkit import progress

        progress.enable(False)
    return wanted


def _for_machines(wanted: bool) -> bool:
    if wanted:
        from domainkit import progress

        progress.enable(progress.enabled(), json=True)  # what -q has switched off stays off
    return wanted


Json = Annotated[bool, typer.Option("--json", help=JSON_HELP, callback=_for_machines)]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help=QUIET_HELP, callback=_hush)]
